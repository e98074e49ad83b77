"""`make colab`: which versions it takes, what counts as replaced, and its messages where something is missing."""

import sys

import nbformat
import pytest

from bookkit import ROOT, __main__, colab, repository
from bookkit.editions import chapters

CHAPTERS = chapters()

FREEZE = "# a comment\nnumpy==2.1.3\nscikit-learn==1.6.1\nPyYAML==6.0.3\ngoogle-colab @ file:///colab.tar.gz\nipykernel==6.17.1\nother_thing==1.0+cu12\n"


@pytest.fixture
def freeze(tmp_path):
    path = tmp_path / "freeze.txt"
    path.write_text(FREEZE)
    return path


def test_pins(freeze):
    assert colab.read_pins(freeze) == {
        "numpy": "numpy==2.1.3",
        "scikit-learn": "scikit-learn==1.6.1",
        "pyyaml": "PyYAML==6.0.3",
        "ipykernel": "ipykernel==6.17.1",
        "other-thing": "other_thing==1.0+cu12",
    }


def test_a_file_without_pins_is_named(tmp_path):
    (tmp_path / "freeze.txt").write_text("numpy\n\x00")
    with pytest.raises(SystemExit, match="no line like numpy==2.1.3"):
        colab.read_pins(tmp_path / "freeze.txt")


def test_which_list_is_taken(freeze, tmp_path):
    assert colab.freeze_file(str(freeze), {"COLAB_FREEZE": "elsewhere"}) == freeze
    assert colab.freeze_file(None, {"COLAB_FREEZE": str(freeze)}) == freeze
    assert colab.freeze_file(None, {}).is_file()
    with pytest.raises(SystemExit, match="There is no file .*nowhere"):
        colab.freeze_file(str(tmp_path / "nowhere"), {})


def test_packages_touched(monkeypatch, freeze):
    cell = nbformat.v4.new_code_cell("import numpy as np\nfrom sklearn import metrics\nimport yaml, json", id="setup")
    monkeypatch.setattr(colab, "read_chapter", lambda slug: nbformat.v4.new_notebook(cells=[cell]))
    assert colab.packages_touched(colab.read_pins(freeze), ["chapter"]) == [
        "ipykernel",
        "numpy",
        "pyyaml",
        "scikit-learn",
    ]


def test_replaced_names_changed_and_removed_packages_and_no_new_ones():
    assert colab.replaced({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == [
        "b 1 -> 2",
        "c 1 -> removed",
    ]


@pytest.mark.parametrize("named", ["no-such-python", sys.executable if sys.version_info[:2] != colab.VERSION else "sh"])
def test_another_python_is_refused(named):
    with pytest.raises(SystemExit, match="Python 3.13 is needed"):
        colab.find_python(named)


def test_no_python_at_all(monkeypatch):
    monkeypatch.setattr(colab.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="no python3.13 here"):
        colab.find_python()


@pytest.mark.parametrize("chapters", [[], ["backprop"]])
def test_the_command_hands_its_options_on(chapters):
    """An option's value is no chapter: `make colab COLAB_PYTHON=PATH` calls the command like this."""
    with pytest.raises(SystemExit, match="/nowhere is none"):
        __main__.main(["colab", *chapters, "--python", "/nowhere"])


def test_an_unknown_chapter_is_named():
    with pytest.raises(SystemExit, match="no chapter backpropp.*backprop"):
        colab.main(["backpropp"])


def test_reuse_of_nothing(tmp_path, freeze):
    with pytest.raises(SystemExit, match="no complete environment"):
        colab.main(["--reuse", "--folder", str(tmp_path), "--freeze", str(freeze), "backprop"])


def test_a_folder_with_other_things_is_left_alone(tmp_path, freeze, monkeypatch):
    monkeypatch.setattr(colab, "find_python", lambda named: sys.executable)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(SystemExit, match="holds something else"):
        colab.main(["--folder", str(tmp_path), "--freeze", str(freeze), "backprop"])
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_the_committed_versions_meet_the_package_s_bounds():
    """What a set-up cell asks for, Colab's list has or lacks altogether; it never has it in another version."""
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    pins = {name: line.partition("==")[2] for name, line in colab.read_pins(ROOT / "colab-constraints.txt").items()}
    asked = [
        Requirement(entry) for entry in project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    ]
    met = {
        requirement.name: pins[colab.canonical(requirement.name)] in requirement.specifier
        for requirement in asked
        if colab.canonical(requirement.name) in pins
    }
    assert {"numpy", "keras", "tensorflow", "mlxtend", "httptools", "psutil"} <= set(met) and all(met.values()), met


def test_chapters_and_commands():
    assert colab.chapters() == CHAPTERS
    assert repository.pip_commands(["deploy"], "file:///x")[-1].endswith(
        '"landing-large-models[deploy] @ git+file:///x"'
    )


@pytest.mark.parametrize(
    "message, traceback, line",
    [
        ("too bad\nat all", "", "too bad"),
        (
            "",
            "\x1b[0;31mAssertionError\x1b[0m\n      1 x = 2\n\x1b[0;32m----> 2\x1b[0;31m \x1b[0;32massert x == 1\x1b[0m\n",
            "assert x == 1",
        ),
        ("", "", ""),
    ],
)
def test_what_a_table_says_of_an_error(message, traceback, line):
    class Error:
        evalue = message

    Error.traceback = traceback
    assert colab.first_line(Error) == line
