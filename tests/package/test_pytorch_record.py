"""The record of the PyTorch programs: made from the cells as they stand, and, where PyTorch is installed, as they run."""

import json
import runpy
import subprocess
import sys

import pytest

from bookkit import ROOT
from bookkit.editions import read_notebook

SCRIPT = ROOT / "benchmarks" / "pytorch_programs.py"
RECORD, digest_of_programs = map(runpy.run_path(str(SCRIPT)).get, ("RECORD", "digest_of_programs"))


def test_the_record_is_of_the_programs_as_they_stand():
    record = json.loads(RECORD.read_text("utf8"))
    assert record["programs"] == digest_of_programs(), (
        "a PyTorch program has changed: python benchmarks/pytorch_programs.py --record"
    )


def test_every_program_is_on_record():
    """Each name under which the appendix asks for a result, as far as it is written there as a string."""
    cells = read_notebook("en", "pytorch-to-keras").cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    record = json.loads(RECORD.read_text("utf8"))
    asked = {part.split('"')[1] for part in text.split("from_torch(")[1:] if part.lstrip().startswith('"')}
    assert len(asked) >= 10 and asked <= set(record["results"]), asked - set(record["results"])


@pytest.mark.slow
def test_the_programs_run_and_the_page_prints_the_same():
    """Only where PyTorch is installed, which the book does not do itself."""
    pytest.importorskip("torch")
    result = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
