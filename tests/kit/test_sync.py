"""How outputs and stamps travel from the English notebooks to the Chinese ones."""

from pathlib import Path

import nbformat
import pytest

from bookkit import sync


def notebooks(tmp_path, english, chinese):
    for edition, cells in (("en", english), ("zh", chinese)):
        (tmp_path / edition).mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / edition / "chapter.ipynb")


def code(source, identifier, **metadata):
    return nbformat.v4.new_code_cell(source, id=identifier, metadata=metadata)


def text(source, identifier):
    return nbformat.v4.new_markdown_cell(source, id=identifier)


def test_sync_carries_code_and_outputs_and_keeps_text(tmp_path):
    answer = code("6 * 7", "answer", mystnb={"image": {"alt": "forty-two"}})
    answer.outputs, answer.execution_count = [nbformat.v4.new_output("stream", name="stdout", text="42\n")], 1
    notebooks(
        tmp_path,
        [text("# Title", "title"), answer],
        [text("# 标题", "title"), code("6 * 8", "answer", mystnb={"image": {"alt": "四十二"}})],
    )
    sync.sync("chapter", tmp_path)
    chinese = nbformat.read(tmp_path / "zh" / "chapter.ipynb", as_version=4).cells
    assert [cell.source for cell in chinese] == ["# 标题", "6 * 7"]
    assert chinese[1].outputs[0].text == "42\n" and chinese[1].execution_count == 1
    assert chinese[1].metadata.mystnb.image.alt == "四十二"


def test_sync_names_untranslated_cells_and_changes_nothing(tmp_path):
    notebooks(tmp_path, [text("# Title", "title"), text("New.", "new")], [text("# 标题", "title")])
    before = (tmp_path / "zh" / "chapter.ipynb").read_bytes()
    with pytest.raises(SystemExit, match="no Chinese text for the Markdown cells new"):
        sync.sync("chapter", tmp_path)
    assert (tmp_path / "zh" / "chapter.ipynb").read_bytes() == before


def test_sync_without_a_twin(tmp_path):
    notebooks(tmp_path, [text("# Title", "title")], [])
    Path(tmp_path, "zh", "chapter.ipynb").unlink()
    with pytest.raises(SystemExit, match="a chapter has a notebook in each edition"):
        sync.sync("chapter", tmp_path)


def test_sync_keeps_warnings_but_not_tensorflow_s_start_up(tmp_path):
    cell = code("import keras", "setup")
    start_up = (
        "I0000 00:00:1.0 1 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n"
    )
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=start_up + "UserWarning: look at this\n")]
    tidied = sync.tidy(nbformat.v4.new_notebook(cells=[cell]), "")
    assert tidied.cells[0].outputs[0].text == "UserWarning: look at this\n"


def test_sync_joins_a_stream_that_came_in_pieces(tmp_path):
    cell = code("print('a'); print('b')", "two-lines")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    tidied = sync.tidy(nbformat.v4.new_notebook(cells=[cell]), "")
    assert [output.text for output in tidied.cells[0].outputs] == ["a\nb\n"]


def test_sync_refuses_to_drop_a_cell_that_only_the_chinese_edition_has(tmp_path):
    notebooks(tmp_path, [text("# Title", "title")], [text("# 标题", "title"), text("只有中文版有的一段。", "alone")])
    before = (tmp_path / "zh" / "chapter.ipynb").read_bytes()
    with pytest.raises(SystemExit, match="the Chinese notebook alone has the cells alone"):
        sync.sync("chapter", tmp_path)
    assert (tmp_path / "zh" / "chapter.ipynb").read_bytes() == before


def states(tmp_path):
    return sync.out_of_step(
        *(nbformat.read(tmp_path / edition / "chapter.ipynb", as_version=4) for edition in ("en", "zh"))
    )


def rewrite(tmp_path, edition, source):
    path = tmp_path / edition / "chapter.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = source
    nbformat.write(notebook, path)


def test_a_changed_english_cell_waits_for_its_translation(tmp_path):
    notebooks(tmp_path, [text("# Title", "title")], [text("# 标题", "title")])
    assert states(tmp_path) == {"title": "missing"}
    sync.stamp("chapter", book=tmp_path)
    assert states(tmp_path) == {}
    rewrite(tmp_path, "en", "# Another title")
    assert states(tmp_path) == {"title": "same text"}
    before = (tmp_path / "zh" / "chapter.ipynb").read_bytes()
    with pytest.raises(SystemExit, match="cells title have changed and the Chinese ones have not"):
        sync.stamp("chapter", book=tmp_path)
    assert (tmp_path / "zh" / "chapter.ipynb").read_bytes() == before
    rewrite(tmp_path, "zh", "# 另一个标题")
    assert states(tmp_path) == {"title": "changed"}
    sync.stamp("chapter", book=tmp_path)
    assert states(tmp_path) == {}


def test_a_cell_that_need_not_change_is_named(tmp_path):
    notebooks(tmp_path, [text("A colour.", "title")], [text("一种颜色。", "title")])
    sync.stamp("chapter", book=tmp_path)
    rewrite(tmp_path, "en", "One colour.")
    sync.stamp("chapter", ["title"], tmp_path)
    assert states(tmp_path) == {}


def test_a_better_chinese_sentence_counts_before_the_next_english_change(tmp_path):
    """Polishing the Chinese text is no translation of what the English one will say later."""
    notebooks(tmp_path, [text("A colour.", "title")], [text("一种颜色。", "title")])
    sync.stamp("chapter", book=tmp_path)
    rewrite(tmp_path, "zh", "有一种颜色。")
    sync.sync("chapter", tmp_path)
    rewrite(tmp_path, "en", "One shade.")
    assert states(tmp_path) == {"title": "same text"}
