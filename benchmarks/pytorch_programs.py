"""Run the appendix `pytorch-to-keras` with PyTorch, and record what its PyTorch programs return.

    python benchmarks/pytorch_programs.py --check      # compare with the record and with the page's outputs
    python benchmarks/pytorch_programs.py --record     # write the record, src/landing/records/pytorch_programs.json

The book itself does not install PyTorch. Run this in an environment that has it beside the book's packages:

    pip install -r requirements.txt
    pip install torch --index-url https://download.pytorch.org/whl/cpu

It executes the English notebook as it stands, with both halves live, so that the record comes from the very cells that
readers see. The record holds the digest of the cells with PyTorch programs (their ids begin with `torch-`); a test asks
for a new record when one of them has changed. `--check` also compares what each cell prints with the committed output: it
must be the same whether the programs ran or were read from the record.
"""

import argparse
import datetime
import hashlib
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bookkit.editions import read_notebook  # noqa: E402
from bookkit.sync import tidy  # noqa: E402

RECORD = ROOT / "src" / "landing" / "records" / "pytorch_programs.json"
TELL = "import json as _json; print(_json.dumps([torch.__version__, results]))"
DIGITS = 7  # of each number on record
TOLERANCE = 1e-3  # between two runs: what the page prints has three decimals at most where training is involved


def digest_of_programs():
    """Return the SHA-256 of the appendix's cells with PyTorch programs."""
    cells = read_notebook("en", "pytorch-to-keras").cells
    programs = [cell.source for cell in cells if cell.cell_type == "code" and cell.id.startswith("torch-")]
    return hashlib.sha256("\n\n".join(programs).encode()).hexdigest()


def rounded(value):
    """Return a result with its floats rounded to the digits that are kept."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def numbers_in(value):
    """Yield the leaves of a result in order."""
    if isinstance(value, (dict, list)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(entry)
    else:
        yield value


def same(one, other):
    """Tell whether two results agree: numbers within the tolerance, everything else exactly."""
    pairs = list(zip(numbers_in(one), numbers_in(other)))
    count = len(list(numbers_in(one))), len(list(numbers_in(other)))
    return count[0] == count[1] and all(
        np.isclose(a, b, atol=TOLERANCE) if isinstance(a, (int, float)) else a == b for a, b in pairs
    )


def printed(cell):
    """Return what a code cell wrote to its standard output."""
    return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")


def execute():
    """Return (the notebook as executed, version of torch, what its programs returned)."""
    notebook = read_notebook("en", "pytorch-to-keras")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.cells.append(nbformat.v4.new_code_cell(TELL))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    client = NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    version, results = json.loads(printed(notebook.cells.pop()))
    return notebook, version, results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the record")
    parser.add_argument("--check", action="store_true", help="compare with the record and the committed outputs")
    arguments = parser.parse_args()
    if not find_spec("torch"):
        sys.exit("PyTorch is not installed: pip install torch --index-url https://download.pytorch.org/whl/cpu")
    committed = read_notebook("en", "pytorch-to-keras")
    if arguments.record and not RECORD.exists():
        RECORD.write_text(json.dumps({"torch": "", "date": "", "results": {}}))
    notebook, version, results = execute()
    print(f"torch {version}: {len(results)} programs ran")
    faults = []
    if arguments.check:
        recorded = json.loads(RECORD.read_text("utf8"))["results"]
        faults += [f"{name}: not as recorded" for name in results if not same(results[name], recorded.get(name))]
        tidy(notebook, "")
        for old, new in zip(committed.cells, notebook.cells):
            ignored = "nbval-ignore-output" in old.metadata.get("tags", [])
            if old.cell_type == "code" and not ignored and printed(old) != printed(new):
                faults.append(f"{old.id} prints\n{printed(new)}and on the page\n{printed(old)}")
    if arguments.record:
        record = {
            "torch": version,
            "date": datetime.date.today().isoformat(),
            "programs": digest_of_programs(),
            "results": rounded(results),
        }
        RECORD.write_text(json.dumps(record, separators=(",", ":")) + "\n", "utf8")
        print(f"{RECORD.name}: {RECORD.stat().st_size:,} bytes")
    print("\n".join(faults) or "nothing differs" if arguments.check else "")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
