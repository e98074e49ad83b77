"""Ruff over all Python, the code of the notebooks included: faults, order of imports, layout."""

import subprocess
import sys

import pytest

from bookkit import ROOT


def ruff(*arguments):
    return subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_ruff_finds_nothing():
    """Package, tests and notebooks of both editions; `.venv/bin/ruff check --fix` mends what it can."""
    result = ruff("check", "--no-cache", "--output-format=concise", ".")
    assert result.returncode == 0, result.stdout


def test_the_layout_is_ruff_s():
    """The programs and part VII; the other chapters' cells follow as they are rewritten (pyproject.toml lists them)."""
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
