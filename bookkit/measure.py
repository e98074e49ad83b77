"""How long a chapter is, beside the limits of one sitting: words of reading, code cells, the longest line and cell."""

import re

from bookkit.editions import chapters, read_notebook
from bookkit.repository import without_set_up

LIMITS = {"words": 4000, "cells": 70, "line": 80, "lines": 25}
# What is not reading: folded answers, code, link targets, mathematics within a line. Displayed formulas take time and count.
NOT_READ = re.compile(r"<details>.*?</details>|```.*?```|\]\([^)]*\)|(?<!\$)\$(?!\$)[^$]*\$(?!\$)", re.S)
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
EXERCISES = re.compile(r"(?im)^##? .*(exercise|check yourself)")


def length_of(cells):
    """Return {"words", "cells", "line", "lines"} of an English notebook's reading flow: without exercises and self-check."""
    result = {"words": 0, "cells": 0, "line": 0, "lines": 0}
    reading = True
    for cell in cells:
        if cell.cell_type == "markdown":
            if EXERCISES.search(cell.source):
                reading = False
            elif re.search(r"(?m)^## ", cell.source):
                reading = True
            result["words"] += len(WORD.findall(NOT_READ.sub(" ", cell.source))) if reading else 0
        else:
            lines = without_set_up(cell.source).splitlines()
            result["cells"] += reading
            # The lines for Colab are nobody's reading, but the page shows them, so they must not be too wide.
            result["line"] = max([result["line"], *map(len, cell.source.splitlines())])
            result["lines"] = max(result["lines"], len(lines))
    return result


def measure(slugs=()):
    """Print the lengths of the chapters named (all if none is); return 1 if one is beyond a limit, else 0."""
    print(f"{'chapter':20}" + "".join(f"{name:>8}" for name in LIMITS))
    beyond = 0
    for slug in slugs or chapters():
        found = length_of(read_notebook("en", slug).cells)
        marks = "".join(f"{found[name]:7,}{'!' if found[name] > limit else ' '}" for name, limit in LIMITS.items())
        beyond += "!" in marks
        print(f"{slug:20}{marks}")
    print(f"{'at most':20}" + "".join(f"{limit:7,} " for limit in LIMITS.values()))
    return int(beyond > 0)
