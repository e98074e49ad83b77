"""The commands' behaviour when something is missing or wrong: a clear message, and nothing lost."""
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookkit import ROOT, environment, serve, sync


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf8", **options)


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 14)])
def test_wrong_python_is_named(version):
    with pytest.raises(SystemExit, match=rf"3\.11, 3\.12 or 3\.13, and this is Python {version[0]}\.{version[1]}"):
        environment.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_right_python_is_taken(version):
    environment.check_python(version)


def copy_project(folder):
    """A copy of what the environment and site commands read, without environment and site."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "_build", "*.egg-info", "__pycache__", ".pytest_cache"))
    return folder


@pytest.mark.slow
def test_installation_without_network_says_so_and_can_be_repeated(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "requirements.txt").write_text("a-package-that-no-index-has==1.0\n")
    offline = {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}
    for _ in range(2):
        result = run(sys.executable, "-m", "bookkit", "environment", cwd=project, env=offline)
        assert result.returncode != 0
        assert "needs a network" in result.stderr and "same command again" in result.stderr
        assert not (project / ".venv" / "complete-for").exists()


def test_a_folder_in_place_of_the_environment_is_left_alone(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / ".venv").mkdir()
    (project / ".venv" / "mine.txt").write_text("kept")
    result = run(sys.executable, "-m", "bookkit", "environment", cwd=project)
    assert result.returncode != 0 and "is no virtual environment" in result.stderr
    assert (project / ".venv" / "mine.txt").read_text() == "kept"


def test_serving_without_a_site(tmp_path):
    with pytest.raises(SystemExit, match="run `make site` first"):
        serve.make_server(tmp_path, 0)


def test_port_in_use(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    first = serve.make_server(tmp_path, 0)
    try:
        with pytest.raises(SystemExit, match=f"Port {first.server_address[1]} is in use"):
            serve.make_server(tmp_path, first.server_address[1])
    finally:
        first.server_close()


@pytest.mark.slow
def test_a_failed_build_keeps_the_previous_site(tmp_path):
    """A broken link stops the build; the site that was there stays, and no half-built folder is left."""
    project = copy_project(tmp_path / "project")
    site = project / "_build" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("the previous site")
    page = project / "book" / "en" / "index.md"
    page.write_text(page.read_text("utf8") + "\n[nowhere](no-such-chapter.ipynb)\n", "utf8")
    result = run(sys.executable, "-m", "bookkit", "site", cwd=project)
    assert result.returncode != 0
    assert "no-such-chapter" in result.stderr and "untouched" in result.stderr
    assert (site / "index.html").read_text() == "the previous site"
    assert [path.name for path in site.parent.iterdir()] == ["site"]


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
    notebooks(tmp_path, [text("# Title", "title"), answer],
              [text("# 标题", "title"), code("6 * 8", "answer", mystnb={"image": {"alt": "四十二"}})])
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
    start_up = "I0000 00:00:1.0 1 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n"
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=start_up + "UserWarning: look at this\n")]
    tidied = sync.tidy(nbformat.v4.new_notebook(cells=[cell]), "")
    assert tidied.cells[0].outputs[0].text == "UserWarning: look at this\n"


def test_sync_joins_a_stream_that_came_in_pieces(tmp_path):
    cell = code("print('a'); print('b')", "two-lines")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    tidied = sync.tidy(nbformat.v4.new_notebook(cells=[cell]), "")
    assert [output.text for output in tidied.cells[0].outputs] == ["a\nb\n"]
