"""Carry code, outputs and cell order's metadata from the English notebooks to the Chinese ones.

Cells are matched by id; only Markdown text and the alternative text of figures belong to an edition. It also keeps the
set-up line for Colab in step with the repository in _config.yml, and drops what TensorFlow says on start-up about
processor and drivers, which is no result.

Each Chinese Markdown cell carries a stamp: the digests of the English text that it renders and of its own. A changed
English cell is red in the tests until the Chinese one was looked at and stamped again.
"""

import hashlib
import re
import sys

import nbformat

from bookkit import BOOK, repository

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
START_UP = re.compile(
    r"absl::InitializeLog|cudart_stub\.cc|cuda_platform\.cc|cpu_feature_guard\.cc|port\.cc:\d+\] oneDNN"
    r"|^To enable the following instructions"
)


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
        cell.outputs = join_streams(
            [output for output in cell.outputs if output.get("name") != "stderr" or output.text]
        )
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

    Raises ValueError naming the Markdown cells that have no Chinese text yet, or the cells that only the Chinese one has.
    """
    own = {cell.id: cell for cell in chinese.cells}
    missing = [cell.id for cell in english.cells if cell.cell_type == "markdown" and cell.id not in own]
    if missing:
        raise ValueError(f"no Chinese text for the Markdown cells {', '.join(missing)}: add cells with these ids")
    kept = {cell.id for cell in english.cells}
    alone = [cell.id for cell in chinese.cells if cell.id not in kept]
    if alone:
        raise ValueError(
            f"the Chinese notebook alone has the cells {', '.join(alone)}: remove them there, or write them in English"
        )
    cells = []
    for cell in english.cells:
        if cell.cell_type == "markdown":
            text = nbformat.from_dict(own[cell.id])
            stamped = text.metadata.get("translation")
            if stamped and stamped["of"] == short_digest(
                cell.source
            ):  # a better Chinese sentence for the same English one
                stamped["text"] = short_digest(text.source)
            cells.append(text)
            continue
        copied = nbformat.from_dict(cell)
        image = own[cell.id].metadata.get("mystnb") if cell.id in own else None
        if image:
            copied.metadata["mystnb"] = image
        cells.append(copied)
    return nbformat.v4.new_notebook(metadata=english.metadata, cells=cells, nbformat_minor=english.nbformat_minor)


def sync(slug, book=BOOK):
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


def short_digest(text):
    """Return the first twelve hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def out_of_step(english, chinese):
    """Return {cell id: "missing", "changed" or "same text"} of the Chinese Markdown cells that need a new stamp.

    "changed": the English text is not the one that was translated; "same text": nor has the Chinese text changed since.
    """
    texts = {cell.id: cell.source for cell in english.cells if cell.cell_type == "markdown"}
    result = {}
    for cell in chinese.cells:
        if cell.id not in texts:
            continue
        of, own = texts[cell.id], cell.metadata.get("translation", {})
        if not own:
            result[cell.id] = "missing"
        elif own["of"] != short_digest(of):
            result[cell.id] = "same text" if own["text"] == short_digest(cell.source) else "changed"
    return result


def stamp(slug, unchanged=(), book=BOOK):
    """Record that a chapter's Chinese cells render the English ones as they are now.

    Exits, and stamps nothing, if an English cell has changed and the Chinese one has not, unless `unchanged` names it.
    """
    english, chinese = (nbformat.read(book / language / f"{slug}.ipynb", as_version=4) for language in ("en", "zh"))
    refused = [
        name for name, state in out_of_step(english, chinese).items() if state == "same text" and name not in unchanged
    ]
    if refused:
        sys.exit(
            f"{slug}: the English cells {', '.join(refused)} have changed and the Chinese ones have not. Translate them, or, where the "
            f"Chinese text still says the same: python -m bookkit sync {slug} --stamp --unchanged {' '.join(refused)}"
        )
    texts = {cell.id: cell.source for cell in english.cells if cell.cell_type == "markdown"}
    for cell in chinese.cells:
        if cell.id in texts:
            cell.metadata["translation"] = {"of": short_digest(texts[cell.id]), "text": short_digest(cell.source)}
    nbformat.write(chinese, book / "zh" / f"{slug}.ipynb")
