"""What a chapter costs and holds, counted in its committed notebook; the status page and the course files show it."""
import ast
import re
from typing import NamedTuple

from places import source_of

REPORT = re.compile(r"(\d+) s since the set-up cell, peak memory ([\d,]+) MB, (\d+) CPU cores")
# The lines that the loaders of `landing.data` print: what: training + test examples, where from.
DATA_LINE = re.compile(r"^[^\n:]+: [\d,]+ \+ [\d,]+ .+$", re.M)


class ChapterFacts(NamedTuple):
    """`seconds` and `megabytes` are those of the committed run; `data` the loaders' lines; the rest are counts."""
    seconds: int
    megabytes: int
    cores: int
    data: list
    code_cells: int
    checks: int
    exercises: int
    questions: int


def printed(cell):
    """Return what a code cell wrote to its standard output."""
    texts = [output["text"] for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join(text if isinstance(text, str) else "".join(text) for text in texts)


def chapter_facts(cells):
    """Return the ChapterFacts of a notebook's cells (as stored in the file).

    Raises ValueError if the notebook does not end with its run report.
    """
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    report = REPORT.search(printed(code[-1]))
    if not report:
        raise ValueError("the last code cell holds no run report: run the notebook from the top")
    seconds, megabytes, cores = (int(number.replace(",", "")) for number in report.groups())
    lines = list(dict.fromkeys(line for cell in code for line in DATA_LINE.findall(printed(cell))))
    checks = 0
    for cell in code:
        source = re.sub(r"^(\s*)[%!].*$", r"\1pass", source_of(cell), flags=re.M)      # IPython's commands are no Python
        checks += sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))
    texts = [source_of(cell) for cell in cells if cell["cell_type"] == "markdown" and cell["id"] == "self-check"]
    questions = sum(len(re.findall(r"^\*\*\d+\. ", text, re.M)) for text in texts)
    exercises = sum(bool(re.fullmatch(r"ex\d+-solution", cell["id"])) for cell in code)
    return ChapterFacts(seconds, megabytes, cores, lines, len(code), checks, exercises, questions)
