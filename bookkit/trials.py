"""What a reader's code goes through: an exercise's stub must fail its check, and planted bugs must be caught.

After the last cell of a notebook, trials run in the same kernel, each in a copy of the notebook's namespace, so that
nothing is trained twice. A trial runs the cells from the one that holds the reader's code to the one whose assert
judges it: first as they stand, which must pass, then with each change, which must raise, and at last as they stand
again, which must pass as before: otherwise a trial has spoilt what the later ones were judged with. The changes are an
exercise's stub (the Python block in its task) and the mutations in the chapter's bugs.yml, a list of mappings:

    cell: where; change -> to: what, occurring once; until: the cell whose assert judges it (default: the next with one);
    before, after: cells that run around it; survives: why the checks do not catch it.

Where only a stub is tried, the runs as it stands are left out: the notebook has just passed that check, and the stub
must fail for want of an answer.
"""

import json
import re
from queue import Empty

import nbformat
import pytest
import yaml

from bookkit import BOOK
from bookkit.facts import exercises

SECONDS = 300
# What must not be the reason why a stub fails: something of the notebook is missing, not the answer.
UNRELATED = (
    "NameError",
    "SyntaxError",
    "OSError",
    "FileNotFoundError",
    "ModuleNotFoundError",
    "ConnectionRefusedError",
    "PermissionError",
)

# Runs in the kernel. `trials` is a list of lists of (cell id, source); `before` and `after` are such lists.
# Each trial gets copies of the notebook's containers, small arrays and random generators, and Keras models get their
# weights back after it; other objects are shared, and the last unchanged run tells whether one of them was spoilt.
IN_KERNEL = """
def _trials(before, trials, after):
    import contextlib, copy, io, json, sys
    import numpy as np
    shared = get_ipython().user_ns
    keras = sys.modules.get("keras")
    models = [value for value in shared.values() if keras and isinstance(value, keras.Model) and value.built]
    kept = [(model, model.get_weights()) for model in {id(model): model for model in models}.values() if model.count_params() < 2_000_000]
    def plain(value, depth=0):
        if isinstance(value, np.ndarray):
            return value.nbytes < 4_000_000 and value.dtype != object
        if isinstance(value, (list, tuple, set, dict)) and depth < 4 and len(value) < 5_000:
            parts = value.values() if isinstance(value, dict) else value
            return all(plain(part, depth + 1) for part in parts)
        return isinstance(value, (int, float, complex, str, bytes, type(None), np.generic, np.random.Generator))
    def run(cells, names):
        for name, source in cells:
            exec(compile(get_ipython().transform_cell(source), name, "exec"), names)
    results = []
    for cells in trials:
        memo, quiet = {}, io.StringIO()
        names = {name: copy.deepcopy(value, memo) if not name.startswith("_") and plain(value) else value for name, value in shared.items()}
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            try:
                run(before, names)      # a fault here is no catch: it ends the trials
                try:
                    run(cells, names)
                    results.append("")
                except Exception as error:
                    results.append(f"{type(error).__name__}: {str(error)[:200]}")
            finally:
                run(after, names)
                for model, weights in kept:
                    model.set_weights(weights)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    print("TRIALS" + json.dumps(results))
"""


def bugs_of(slug, book=BOOK):
    """Return the entries of a chapter's bugs.yml, [] if it has none."""
    path = book / "chapters" / slug / "bugs.yml"
    return (yaml.safe_load(path.read_text("utf8")) or []) if path.exists() else []


def execute(kernel, source, seconds):
    """Run code in nbval's kernel and return what it printed.

    Raises AssertionError with the traceback if it raised, or if it took longer than `seconds`; then it is interrupted.
    """
    message = kernel.execute_cell_input(source, allow_stdin=False)
    printed, failure = "", None
    while True:
        try:
            reply = kernel.get_message("iopub", timeout=seconds)
        except Empty:
            kernel.interrupt()
            raise AssertionError(f"nothing came from the kernel for {seconds} s; it was interrupted") from None
        if reply["parent_header"].get("msg_id") != message:
            continue
        if reply["msg_type"] == "stream":
            printed += reply["content"]["text"]
        elif reply["msg_type"] == "error":
            failure = "\n".join(reply["content"]["traceback"])
        elif reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            break
    kernel.await_reply(message, timeout=seconds)
    assert failure is None, failure
    return printed


class Group:
    """Trials that share their cells: `changes` is a list of (what was changed, the changed source, expected to be caught)."""

    def __init__(self, slug, code, entry):
        """`code` is {cell id: source} of the chapter's code cells in their order."""
        self.slug, self.cell = slug, entry["cell"]
        order = list(code)
        after_it = order[order.index(self.cell) :]
        self.until = entry.get("until") or next(name for name in after_it if "assert" in code[name])
        self.cells = [(name, code[name]) for name in after_it[: after_it.index(self.until) + 1]]
        self.before, self.after = ([(name, code[name]) for name in entry.get(side, [])] for side in ("before", "after"))
        self.changes = []

    def with_change(self, source):
        return [(self.cell, source), *self.cells[1:]]


def groups_of(slug, cells, bugs):
    """Return the Groups of a notebook: of the mutations in its bugs.yml, and of each exercise's stub.

    Raises ValueError for a mutation that does not fit its cell exactly once.
    """
    code = {cell.id: cell.source for cell in cells if cell.cell_type == "code"}
    groups = {}
    for entry in bugs:
        if entry["cell"] not in code:
            raise ValueError(f"bugs.yml of {slug}: there is no code cell {entry['cell']}")
        key = json.dumps([entry["cell"], entry.get("until"), entry.get("before"), entry.get("after")])
        if key not in groups:
            groups[key] = Group(slug, code, entry)
        source = code[entry["cell"]]
        if "change" not in entry:  # it only says what the exercise's stub needs around it
            continue
        if source.count(entry["change"]) != 1:
            raise ValueError(
                f"bugs.yml of {slug}, {entry['cell']}: {entry['change']!r} occurs {source.count(entry['change'])} times"
            )
        groups[key].changes.append(
            (
                f"{entry['change']} -> {entry['to']}",
                source.replace(entry["change"], entry["to"]),
                "survives" not in entry,
            )
        )
    for solution, _, stub in exercises(cells):
        name, check = solution.id, solution.id.replace("solution", "check")
        group = next((group for group in groups.values() if (group.cell, group.until) == (name, check)), None)
        if group is None:
            group = groups[name] = Group(slug, code, {"cell": name, "until": check})
        group.changes.insert(0, ("the stub", stub, None))
    return list(groups.values())


class Trial(pytest.Item):
    """One Group, run in the kernel of its notebook."""

    def __init__(self, *, group, **options):
        super().__init__(**options)
        self.group = group

    def runtest(self):
        group = self.group
        planted = any(expected is not None for _, _, expected in group.changes)
        as_it_stands = [group.cells] if planted else []
        trials = as_it_stands + [group.with_change(source) for _, source, _ in group.changes] + as_it_stands
        kernel = self.parent.kernel
        printed = execute(kernel, IN_KERNEL + f"_trials({group.before!r}, {trials!r}, {group.after!r})", SECONDS)
        found = re.search(r"^TRIALS(.*)$", printed, re.M)
        assert found, printed
        results = json.loads(found[1])
        if planted:
            first, last = results.pop(0), results.pop()
            assert not first, f"{group.cell} to {group.until} do not pass as they stand, at the notebook's end: {first}"
            assert not last, (
                f"{group.cell} to {group.until} no longer pass as they stand: a trial has changed what they share ({last})"
            )
        faults, caught = [], 0
        for (change, _, expected), result in zip(group.changes, results, strict=True):
            if result.startswith(("NameError", "SyntaxError")):
                faults.append(f"the change is no mutation, it does not run ({result}): {change}")
            if expected is None:  # a stub
                if not result or result.startswith(UNRELATED):
                    faults.append(f"the stub does not fail for want of an answer: {result or 'it passes'}")
                continue
            caught += bool(result)
            if bool(result) != expected:
                faults.append(
                    f"{'not caught' if expected else 'caught, though listed as surviving'} by {group.until}: {change}"
                )
        # A property of the report, so that it also reaches the summary from another process of pytest-xdist.
        self.user_properties.append(
            ("planted bugs", [group.slug, caught, sum(expected is not None for _, _, expected in group.changes)])
        )
        assert not faults, f"{group.cell}:\n" + "\n".join(faults)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value) if isinstance(excinfo.value, AssertionError) else super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: reader's code in {self.group.cell}"


def collect_trials(notebook):
    """Yield the Trials of nbval's collector of one English notebook; they run after its cells."""
    cells = nbformat.read(notebook.path, as_version=4).cells
    slug = notebook.path.stem
    for number, group in enumerate(groups_of(slug, cells, bugs_of(slug, notebook.path.parents[1]))):
        yield Trial.from_parent(notebook, name=f"reader's code {number}: {group.cell}", group=group)


def summary(reports):
    """Return one line that says how many planted bugs the run's checks caught, chapter by chapter; "" if none was tried."""
    counts = {}
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == "planted bugs" and report.when == "call" and value[2]:
                slug, *numbers = value
                counts[slug] = [sum(pair) for pair in zip(counts.get(slug, (0, 0)), numbers)]
    caught, planted = (sum(numbers[place] for numbers in counts.values()) for place in (0, 1))
    parts = [f"{slug} {numbers[0]} of {numbers[1]}" for slug, numbers in sorted(counts.items())]
    return f"Planted bugs caught: {caught} of {planted} ({', '.join(parts)})" if counts else ""
