"""What a chapter costs and holds, read from its committed notebook: for the status page, the course files and the tests."""

import ast
import re
from typing import NamedTuple

import yaml

from bookkit import BOOK
from bookkit.places import source_of

REPORT = re.compile(r"(\d+) s since the set-up cell, peak memory ([\d,]+) MB, (\d+) CPU cores")
# The lines that the loaders of `landing.data` print: what: training + test examples, where from.
DATA_LINE = re.compile(r"^[^\s:][^\n:]*: [\d,]+ \+ [\d,]+ .+$", re.M)
SOLUTION = re.compile(r"ex\d+-solution")  # the id of a code cell
STUB = re.compile(r"^```python\n(.*?)^```\s*", re.S | re.M)  # in an exercise's task


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


def settings(slug, book=BOOK):
    """Return what a chapter's chapter.yml says, {} if it has none.

    `alone: true`: the notebook measures time, so that tests run nothing beside it.
    """
    path = book / "chapters" / slug / "chapter.yml"
    return (yaml.safe_load(path.read_text("utf8")) or {}) if path.exists() else {}


def printed(cell):
    """Return what a code cell wrote to its standard output."""
    texts = [output["text"] for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join(text if isinstance(text, str) else "".join(text) for text in texts)


def python_of(source):
    """Return a code cell's text as plain Python: IPython's commands (%, !) become `pass`."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


def exercises(cells):
    """Yield (solution cell, task cell, stub) of a notebook's exercises; the task is the Markdown cell above the solution.

    Raises ValueError if a task does not hold exactly one Python block, the stub.
    """
    task = None
    for cell in cells:
        if cell["cell_type"] == "markdown":
            task = cell
        elif SOLUTION.fullmatch(cell["id"]):
            stubs = STUB.findall(source_of(task))
            if len(stubs) != 1:
                raise ValueError(
                    f"the task {task['id']} has {len(stubs)} Python blocks; it ends with one, the stub of {cell['id']}"
                )
            yield cell, task, stubs[0].rstrip("\n")


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
        checks += sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(python_of(source_of(cell)))))
    texts = [source_of(cell) for cell in cells if cell["cell_type"] == "markdown" and cell["id"] == "self-check"]
    questions = sum(len(re.findall(r"^\*\*\d+\. ", text, re.M)) for text in texts)
    solutions = sum(bool(SOLUTION.fullmatch(cell["id"])) for cell in code)
    return ChapterFacts(seconds, megabytes, cores, lines, len(code), checks, solutions, questions)
