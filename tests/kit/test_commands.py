"""The commands' behaviour when something is missing or wrong: a clear message, and nothing lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from browsing import copy_project

from bookkit import ROOT, environment, serve
from bookkit.__main__ import main


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf8", **options)


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 14)])
def test_wrong_python_is_named(version):
    with pytest.raises(SystemExit, match=rf"3\.11, 3\.12 or 3\.13, and this is Python {version[0]}\.{version[1]}"):
        environment.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_right_python_is_taken(version):
    environment.check_python(version)


@pytest.mark.slow
def test_installation_without_network_says_so_and_can_be_repeated(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "requirements.txt").write_text("a-package-that-no-index-has==1.0\n")
    offline = {
        "PATH": "/usr/bin:/bin",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }
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


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "abc", "80.5", "", "²"])
def test_a_port_that_cannot_be_is_named_in_one_line(port):
    """With or without a site: what is wrong with the command is said first."""
    result = run(sys.executable, "-m", "bookkit", "serve", f"--port={port}", cwd=ROOT)
    assert result.returncode == 1 and result.stdout == ""
    assert (
        result.stderr
        == f"There is no port {port!r}: choose one from 1024 to 65535, for example: make serve PORT=8080\n"
    )


@pytest.mark.parametrize("port", ["99999", "abc"])
def test_make_serve_hands_the_port_on(port):
    if not shutil.which("make"):
        pytest.skip("there is no make")
    result = run(
        "make", "--no-print-directory", "serve", f"PORT={port}", f"BIN={Path(sys.executable).parent}", cwd=ROOT
    )
    assert result.returncode != 0 and f"There is no port {port!r}" in result.stderr and "Traceback" not in result.stderr


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
    """A broken link stops the build; the site that was there stays, and no half-built folder is left.

    With one chapter: the others take the time of a build and have no part in this.
    """
    project = copy_project(tmp_path / "project")
    contents = yaml.safe_load((project / "_toc.yml").read_text("utf8"))
    for part in contents["parts"]:
        part["chapters"] = [
            page
            for page in part["chapters"]
            if (project / f"{page['file']}.md").exists() or page["file"].endswith("/linear-regression")
        ]
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    (project / "_toc.yml").write_text(yaml.safe_dump(contents, allow_unicode=True), "utf8")
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


@pytest.mark.parametrize("command", ["course", "run", "prove", "sync", "measure"])
def test_unknown_chapter_is_named(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "no-such-chapter"])
    assert stopped.value.code == 2
    assert "there is no chapter no-such-chapter. The chapters are: " in capsys.readouterr().err


def test_unknown_arguments_are_named(capsys):
    with pytest.raises(SystemExit):
        main(["site", "--no-such-option"])
    assert "unknown arguments: --no-such-option" in capsys.readouterr().err
