"""Make the committed file of the book's own passages from one fixed commit of its repository.

    python -m landing.data.texts.make_passages      in a checkout that holds the commit below

Readers do not need this: the file stands beside this one. It is an extract that does not follow later corrections, so
that what the chapter on retrieval measures stays the same when another chapter is edited.
"""

import gzip
import json
import re
import subprocess
from pathlib import Path

COMMIT = "edc4e158ed4c9b6be57c16cb70183a0e0129b94d"
CHAPTERS = (
    "large-models",
    "linear-regression",
    "backprop",
    "optimizers",
    "cnn-mnist",
    "export",
    "compress",
    "serve",
)
# What is no running text: folded answers, code, displayed formulas, pictures, boxes with a question, headings, captions.
DROPPED = re.compile(
    r"<details>.*?</details>|```.*?```|\$\$.*?\$\$|!\[[^\]]*\]\([^)]*\)|^> \*\*(?:Predict|先预测).*?$|^#+ .*?$"
    r"|^\*(?:Figure|图).*?$|^\|.*?$",
    re.S | re.M,
)
LAST = re.compile(r"(?m)^## .*(?:Check yourself|Exercises|Recap|Further reading)")
SHORTEST = 200  # characters of the English text


def plain(text):
    """Return Markdown as running text: without marks, links and the pieces that are no sentences."""
    text = DROPPED.sub(" ", text)
    text = re.sub(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\*+([^*\n]+)\*+", r"\1", text)
    text = re.sub(r"`|\$|^> ", "", text, flags=re.M)
    text = re.sub(r"\\[,;!]|\\bigl|\\bigr", " ", text)
    return re.sub(r"\s+", " ", text).strip()


def markdown_of(language, chapter):
    """Return {cell id: text} of a notebook's reading flow, in order."""
    command = ["git", "show", f"{COMMIT}:book/{language}/{chapter}.ipynb"]
    cells = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["cells"]
    kept = {}
    for cell in cells[1:]:
        if cell["cell_type"] == "markdown":
            kept[cell["id"]] = "".join(cell["source"])
    return kept


def passages():
    """Return the list of {"chapter", "cell", "en", "zh"}."""
    found = []
    for chapter in CHAPTERS:
        english, chinese = markdown_of("en", chapter), markdown_of("zh", chapter)
        for cell, text in english.items():
            if LAST.search(text) or cell == "self-check":
                break
            if len(plain(text)) >= SHORTEST:
                found.append({"chapter": chapter, "cell": cell, "en": plain(text), "zh": plain(chinese[cell])})
    return found


def main():
    text = json.dumps(passages(), ensure_ascii=False, indent=0) + "\n"
    path = Path(__file__).with_name("book-passages.json.gz")
    path.write_bytes(gzip.compress(text.encode("utf8"), 9, mtime=0))


if __name__ == "__main__":
    main()
