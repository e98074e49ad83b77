"""Execute a chapter from the top, in place, and carry its outputs to the Chinese edition."""

import os
import sys
import uuid

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from bookkit import BOOK, ROOT
from bookkit.notebooks import PICTURE_TOLERANCE, picture_difference, pictures_of
from bookkit.sync import sync

SECONDS = 900  # for one cell


def keep_pictures(cells, before):
    """Put the old bytes of a picture back where the new one shows the same: the repository's history stays small."""
    for cell in cells:
        old = before.get(cell.id, [])
        if cell.cell_type != "code" or len(pictures_of(cell.outputs)) != len(old):
            continue
        drawn = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        for output, picture in zip(drawn, old, strict=True):
            if picture_difference(output["data"]["image/png"], picture) <= PICTURE_TOLERANCE:
                output["data"]["image/png"] = picture


def run(slug, book=BOOK):
    """Execute a chapter's English notebook and store its outputs; a cell that fails leaves the file as it was.

    Exits with the cell's traceback.
    """
    path = book / "en" / f"{slug}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    before = {cell.id: pictures_of(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"}
    # As `make` does: quiet TensorFlow, and no graphics card.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"{slug} stopped, and its file is as it was:\n{error}")
    keep_pictures(notebook.cells, before)
    temporary = path.with_name(f".{uuid.uuid4().hex}.ipynb")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)
    sync(slug, book)
    print(f"{slug}: executed, and both editions are in step")
