"""Proof records: what makes a chapter unproved, and that only a whole green run writes one.

A book of one small notebook stands in a temporary folder, and the records go into a temporary cache.
"""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from bookkit import ROOT, proof, testing

PICTURE = "import matplotlib.pyplot as plt\nplt.plot([{}, 2, 1])\nplt.show()"
TASK = "### 1. Add\n\n*One minute.* Add.\n\nStart from:\n\n```python\nanswer = None\n```"


def cells(**changes):
    """The cells of the small notebook; `changes` maps ids to sources."""
    sources = {
        "setup": "import time\nfrom landing import models\nvalue = 2",
        "work": "print(value + 1)",
        "wait": "time.sleep(0)",
        "draw": PICTURE.format(1),
        "task": TASK,
        "ex1-solution": "answer = 1 + 2",
        "ex1-check": "assert answer == 3",
        "run-report": "pass",
    }
    sources.update(changes)
    result = []
    for name, source in sources.items():
        make = nbformat.v4.new_markdown_cell if name == "task" else nbformat.v4.new_code_cell
        result.append(make(source, id=name))
    return result


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The small notebook as text, with its outputs."""
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=cells())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        NotebookClient(
            notebook,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(tmp_path_factory.mktemp("run"))}},
        ).execute()
    return nbformat.writes(notebook)


@pytest.fixture
def book(tmp_path, monkeypatch, executed):
    """The path of the small notebook in a book of its own, beside an empty store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "book" / "en" / "small.ipynb"
    path.parent.mkdir(parents=True)
    (tmp_path / "book" / "chapters" / "small").mkdir(parents=True)
    (tmp_path / "book" / "chapters" / "small" / "bugs.yml").write_text(
        "- {cell: ex1-solution, change: 1 + 2, to: 1 + 1}\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path.write_text(executed, "utf8")
    return path


def run(path, *arguments):
    """Run the collector on the small notebook as `python -m pytest` does."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "bookkit.notebooks",
        "-p",
        "no:cacheprovider",
        "--nbval-current-env",
        "-q",
        f"--rootdir={path.parents[2]}",
        "-c",
        str(path.parents[2] / "pytest.ini"),
        *(arguments or [str(path)]),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf8")


def edit(path, name, source=None, tags=None):
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == name)
    if source is not None:
        cell.source = source
    if tags is not None:
        cell.metadata["tags"] = tags
    nbformat.write(notebook, path)


def records():
    return list(proof.store().glob("*.json"))


@pytest.mark.slow
def test_an_empty_store_executes_and_a_green_run_proves(book):
    assert proof.examine(book) == (None, "never executed here")
    result = run(book)
    assert result.returncode == 0, result.stdout
    found, why = proof.examine(book)
    assert why == "" and found.slug == "small" and found.seconds > 0
    assert "matplotlib" in found.packages and "tensorflow" not in found.packages
    assert "models/digits.keras" in found.files and not any("data/" in name for name in found.files)


@pytest.mark.slow
def test_what_changes_a_result_unproves_and_prose_does_not(book, monkeypatch):
    """Each ingredient, changed alone, makes the chapter unproved and is named; changed back, the proof holds again."""
    assert run(book).returncode == 0
    original = book.read_bytes()
    bugs = book.parents[1] / "chapters" / "small" / "bugs.yml"

    def why():
        return proof.examine(book)[1]

    edit(book, "task", TASK.replace("*One minute.* Add.", "*One minute.* Add them."))
    assert why() == ""
    edit(book, "task", TASK.replace("answer = None", "answer = 0"))
    assert why() == "changed since: stubs"
    book.write_bytes(original)
    edit(book, "work", "print(value + 1) ")
    assert why() == "changed since: code"
    book.write_bytes(original)
    edit(book, "work", tags=["nbval-ignore-output"])
    assert why() == "changed since: code"
    book.write_bytes(original.replace(b'"3\\n"', b'"4\\n"'))
    assert why() == "changed since: outputs"
    picture = re.search(rb'"image/png": "[^"]{400}', original).end()
    book.write_bytes(original[:picture] + b"AAAA" + original[picture + 4 :])
    assert why() == "changed since: outputs"
    book.write_bytes(original)
    text = bugs.read_text()
    bugs.write_text(text.replace("1 + 1", "1 + 0"))
    assert why() == "changed since: planted bugs"
    bugs.write_text(text)
    assert why() == ""
    with monkeypatch.context() as patch:
        patch.setattr(proof, "processor_class", lambda: "Linux x86_64 avx512f")
        assert why() == "changed since: processor"
    with monkeypatch.context() as patch:
        patch.setattr(proof.platform, "python_version_tuple", lambda: ("3", "99", "0"))
        assert why() == "changed since: python"
    with monkeypatch.context() as patch:
        patch.setattr(proof, "PROVER", ("notebooks.py",))
        assert why() == "changed since: prover"
    version = proof.importlib.metadata.version
    with monkeypatch.context() as patch:
        patch.setattr(
            proof.importlib.metadata, "version", lambda name: "0.0" if name == "matplotlib" else version(name)
        )
        assert re.fullmatch(r"changed since: matplotlib \S+ -> 0\.0", why())
    with monkeypatch.context() as patch:
        patch.setattr(
            proof.importlib.metadata, "version", lambda name: "0.0" if name == "tensorflow" else version(name)
        )
        assert why() == "", "a package that the chapter does not use"
    files_of = proof.files_of
    with monkeypatch.context() as patch:
        patch.setattr(proof, "files_of", lambda modules: {name: "another" for name in files_of(modules)})
        assert why() == "changed since: landing"
    assert why() == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["a cell raises", "an output differs", "a picture differs", "a bug is not caught", "a stub passes"]
)
def test_a_red_run_writes_no_record(book, fault):
    edit(
        book,
        **{
            "a cell raises": {"name": "work", "source": "raise ValueError('red')"},
            "an output differs": {"name": "work", "source": "print(value + 2)"},
            "a picture differs": {"name": "draw", "source": PICTURE.format(0)},
            "a bug is not caught": {"name": "ex1-check", "source": "assert answer > 0"},
            "a stub passes": {"name": "task", "source": TASK.replace("None", "3")},
        }[fault],
    )
    result = run(book)
    assert result.returncode == 1 and records() == [], result.stdout
    expected = {
        "a cell raises": "ValueError",
        "an output differs": "mismatch 'stdout'",
        "a picture differs": "picture 1 differs",
        "a bug is not caught": "not caught by ex1-check",
        "a stub passes": "it passes",
    }
    assert expected[fault] in result.stdout


@pytest.mark.slow
def test_a_red_run_takes_the_proof_away(book):
    """The same notebook, green before and red now, is not proved: something disagrees."""
    edit(book, "work", "import os\nprint(3 if 'RED' not in os.environ else 4)")
    assert run(book).returncode == 0 and len(records()) == 1
    os.environ["RED"] = "1"
    try:
        assert run(book).returncode == 1
    finally:
        del os.environ["RED"]
    assert records() == []


@pytest.mark.slow
def test_a_part_of_a_run_proves_nothing(book):
    result = run(book, f"{book}::setup", f"{book}::work")
    assert result.returncode == 0 and "2 passed" in result.stdout and records() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_run_writes_no_record(book):
    edit(book, "wait", "open('waiting', 'w').close()\ntime.sleep(60)")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "bookkit.notebooks",
        "--nbval-current-env",
        "-q",
        "-c",
        str(book.parents[2] / "pytest.ini"),
        str(book),
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for _ in range(600):
        if book.with_name("waiting").exists():
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2, printed
    assert records() == []


def record(path, **changes):
    """Put a record of the present notebook into the store, as if a run had written it, with changes."""
    static = {**proof.ingredients(path), **changes.pop("ingredients", {})}
    content = {
        "slug": path.stem,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": 1.0,
        "ingredients": static,
        "files": {},
        "packages": {},
        **changes,
    }
    place = proof.place_of(path.stem, static)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(content))
    return place


def test_an_old_record_is_none(book):
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=proof.DAYS, minutes=1)
    place = record(book, written=then.isoformat(timespec="seconds"))
    assert proof.examine(book) == (None, f"executed more than {proof.DAYS} days ago")
    proof.forget_old()
    assert not place.exists()


def test_a_record_of_another_processor_is_none(book):
    place = record(book, ingredients={"processor": "Linux aarch64 sve"})
    assert proof.examine(book) == (None, "changed since: processor")
    place.rename(
        proof.place_of(book.stem, proof.ingredients(book))
    )  # copied under the name that this machine looks for
    assert proof.examine(book) == (None, "changed since: processor")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"slug": "small"}'])
def test_a_broken_record_is_none(book, content):
    record(book).write_text(content)
    assert proof.examine(book) == (None, "never executed here")


def test_the_commit_draws_two_proved_chapters():
    slugs = [f"chapter-{number}" for number in range(12)]
    drawn = {commit: proof.draw(slugs, commit) for commit in ("a" * 40, "b" * 40, "c" * 40, "d" * 40)}
    assert all(len(set(chosen)) == 2 and set(chosen) <= set(slugs) for chosen in drawn.values())
    assert drawn["a" * 40] == proof.draw(slugs[::-1], "a" * 40), "the same commit draws the same chapters"
    assert len({tuple(chosen) for chosen in drawn.values()}) > 1
    assert proof.draw(["only"], "a" * 40) == ["only"] and proof.draw([], "a" * 40) == []


def test_what_is_executed_and_why(monkeypatch):
    """Unproved chapters and two drawn ones; all of them on demand; the summary's words."""
    now = datetime.datetime.now(datetime.UTC)
    proved = {name: proof.Proof(name, now, 5.0, {}, {}, {}) for name in ("a", "b", "c", "d")}
    monkeypatch.setattr(
        proof, "examine", lambda path: (proved[path.stem], "") if path.stem in proved else (None, "changed since: code")
    )
    monkeypatch.setattr(testing, "commit", lambda: "e" * 40)
    reasons, rest = testing.plan(["a", "b", "c", "d", "x"])
    assert reasons.pop("x") == "changed since: code"
    assert (
        len(reasons) == 2
        and set(reasons) | set(rest) == set(proved)
        and all("drawn" in why for why in reasons.values())
    )
    reasons, rest = testing.plan(["a", "b", "x"], draw=False)
    assert set(reasons) == {"x"} and set(rest) == {"a", "b"}
    reasons, rest = testing.plan(["a", "b", "x"], everything=True)
    assert set(reasons) == {"a", "b", "x"} and rest == {}


def test_no_folder_of_tests_is_left_out():
    """`bookkit test` names the folders one by one, in the order of their length."""
    source = (ROOT / "bookkit" / "testing.py").read_text()
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.glob("test_*.py"))}
    assert folders == set(re.findall(r'"tests/(\w+)"', source.partition("folders = [")[2].partition("]")[0]))
    assert not list((ROOT / "tests").glob("test_*.py"))
