"""Ruff over all Python, the code of the notebooks included: faults, order of imports, layout; names as on the page of symbols."""

import ast
import subprocess
import sys

import pytest
import yaml

from bookkit import BOOK, ROOT
from bookkit.editions import chapters, is_article, read_notebook
from bookkit.facts import python_of
from bookkit.measure import LIMITS, length_of

NOTATION = yaml.safe_load((BOOK / "notation.yml").read_text("utf8"))


def ruff(*arguments):
    return subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_ruff_finds_nothing():
    """Package, tests and notebooks of both editions; `.venv/bin/ruff check --fix` mends what it can."""
    result = ruff("check", "--no-cache", "--output-format=concise", ".")
    assert result.returncode == 0, result.stdout


def test_the_layout_is_ruff_s():
    """Programs and notebooks; `.venv/bin/ruff format` lays them out."""
    result = ruff("format", "--no-cache", "--check", ".")
    assert result.returncode == 0, f"run: .venv/bin/ruff format\n{result.stdout}"


@pytest.mark.parametrize(
    "source, code",
    [("import os\n", "F401"), ("print(undefined)\n", "F821"), ("import sys\nimport os\nprint(os, sys)\n", "I001")],
)
def test_ruff_would_find_a_fault(tmp_path, source, code):
    (tmp_path / "fault.py").write_text(source)
    result = ruff(
        "check",
        "--no-cache",
        "--output-format=concise",
        "--config",
        str(ROOT / "pyproject.toml"),
        str(tmp_path / "fault.py"),
    )
    assert result.returncode == 1 and code in result.stdout


@pytest.mark.parametrize("slug", chapters())
def test_one_sitting(slug):
    """Words of reading, cells, the longest line and cell: what `python -m bookkit measure` prints."""
    found = length_of(read_notebook("en", slug).cells)
    beyond = {name: found[name] for name, limit in LIMITS.items() if found[name] > limit}
    assert not beyond, f"beyond {LIMITS}: {beyond}"


def names_given(source):
    """Return the names that a program gives: by assignment, as a parameter, as a function or class."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


@pytest.mark.parametrize("slug", [slug for slug in chapters() if not is_article(slug)])
def test_names_are_the_notation_s(slug):
    """No quantity goes by a second name. Part VII is free: it keeps the names of the programs that it tests."""
    one_name = {name: entry["code"] for entry in NOTATION.values() for name in entry.get("not", [])}
    faults = [
        f"{cell.id}: {name}, which notation.yml calls {one_name[name]}"
        for cell in read_notebook("en", slug).cells
        if cell.cell_type == "code"
        for name in sorted(names_given(python_of(cell.source)) & set(one_name))
    ]
    assert not faults, faults


def test_a_second_name_would_be_found():
    found = names_given("lr = 0.1\ndef step(eta, *, bs=1):\n    for x_val in []: pass\n")
    assert {"lr", "eta", "bs", "x_val"} <= found
