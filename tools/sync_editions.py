"""Carry code, outputs and cell order's metadata from the English notebooks to the Chinese ones.

    python tools/sync_editions.py [SLUG ...]     (all chapters if none is named)

Run it after executing an English notebook. Cells are matched by id; only Markdown text and the alternative text of
figures belong to an edition. It also keeps the set-up lines for Colab in step with the repository in _config.yml and
with what the chapter imports, and drops what TensorFlow says on start-up about processor and drivers, which is no result.
"""
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from bookkit import repository  # noqa: E402  (found through the line above)

METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
START_UP = re.compile(r"absl::InitializeLog|cudart_stub\.cc|cpu_feature_guard\.cc|port\.cc:\d+\] oneDNN|^To enable the following instructions")


def tidy(notebook, address):
    """Set the common metadata and the lines for Colab, and drop TensorFlow's start-up lines from stored outputs."""
    notebook.metadata = nbformat.from_dict(METADATA)
    repository.with_set_up(notebook, address)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.get("name") == "stderr":
                output.text = "".join(line for line in output.text.splitlines(True) if not START_UP.search(line))
        cell.outputs = join_streams([output for output in cell.outputs if output.get("name") != "stderr" or output.text])
    return notebook


def join_streams(outputs):
    """Return the outputs with neighbouring pieces of one stream joined: where a kernel cuts it is a matter of timing."""
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def carry(english, chinese):
    """Return the Chinese notebook with the English one's cells: code and outputs carried, Markdown its own.

    Raises ValueError naming the Markdown cells that have no Chinese text yet.
    """
    own = {cell.id: cell for cell in chinese.cells}
    missing = [cell.id for cell in english.cells if cell.cell_type == "markdown" and cell.id not in own]
    if missing:
        raise ValueError(f"no Chinese text for the Markdown cells {', '.join(missing)}: add cells with these ids")
    cells = []
    for cell in english.cells:
        if cell.cell_type == "markdown":
            cells.append(own[cell.id])
            continue
        copied = nbformat.from_dict(cell)
        image = own[cell.id].metadata.get("mystnb") if cell.id in own else None
        if image:
            copied.metadata["mystnb"] = image
        cells.append(copied)
    return nbformat.v4.new_notebook(metadata=english.metadata, cells=cells, nbformat_minor=english.nbformat_minor)


def sync(slug, book=ROOT / "book"):
    """Bring the two notebooks of one chapter into step, in place."""
    paths = {language: book / language / f"{slug}.ipynb" for language in ("en", "zh")}
    for path in paths.values():
        if not path.exists():
            sys.exit(f"{path} is missing: a chapter has a notebook in each edition.")
    english, chinese = (nbformat.read(path, as_version=4) for path in paths.values())
    english = tidy(english, repository.committed_address(repository.read_settings()))
    try:
        chinese = carry(english, chinese)
    except ValueError as error:
        sys.exit(f"{slug}: {error}")
    for language, notebook in (("en", english), ("zh", chinese)):
        nbformat.validate(notebook)
        nbformat.write(notebook, paths[language])


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in (ROOT / "book" / "en").glob("*.ipynb")):
        sync(name)
        print(f"{name}: both editions are in step")
