"""The built site as files: it builds without a warning; links, head, language, alternative text, no third party."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browsing import FETCHED
from bs4 import BeautifulSoup

from bookkit import BOOK, ROOT

GENERATED = {"search.html", "genindex.html"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="session")
def documents(site):
    """{path relative to the site: parsed page}"""
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text("utf8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def test_every_page_is_there(site):
    for edition in ("en", "zh"):
        for source in (BOOK / edition).iterdir():
            if source.suffix in (".ipynb", ".md"):
                assert (site / edition / f"{source.stem}.html").exists()
    for name in ("index.html", "404.html", ".nojekyll"):
        assert (site / name).exists()


def test_internal_links_lead_somewhere(site, documents):
    broken = []
    anchors = {
        name: {tag["id"] for tag in page.find_all(id=True)}
        | {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
        for name, page in documents.items()
    }
    for name, page in documents.items():
        base = site / name
        for tag in page.find_all("a", href=True):
            address, fragment = urldefrag(tag["href"])
            if urlsplit(address).scheme or tag["href"] == "#" or name == "404.html":
                continue
            target = (base.parent / unquote(address)).resolve() if address else base.resolve()
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                broken.append(f"{name}: {tag['href']}")
            elif fragment and target.suffix == ".html":
                known = anchors.get(target.relative_to(Path(site).resolve()).as_posix(), set())
                if unquote(fragment) not in known:
                    broken.append(f"{name}: {tag['href']} (no such anchor)")
    assert not broken, "\n".join(broken)


def test_nothing_is_fetched_from_a_third_party(documents):
    for name, page in documents.items():
        for tag, attribute in FETCHED.items():
            for element in page.find_all(tag):
                if tag == "link" and set(element.get("rel", [])) & {
                    "alternate",
                    "canonical",
                    "prev",
                    "next",
                    "search",
                    "author",
                    "index",
                }:
                    continue
                assert not urlsplit(element.get(attribute) or "").netloc, f"{name}: {element}"
        assert "unpkg" not in str(page) and "cdn.jsdelivr" not in str(page), name


def test_heads(documents):
    """Each page names its language and has a title of its own, a description and its twin."""
    titles = {"en": [], "zh": []}
    for name, page in documents.items():
        edition, _, file = name.partition("/")
        if edition not in titles:
            continue
        assert page.html["lang"] == {"en": "en", "zh": "zh-CN"}[edition]
        titles[edition].append(page.title.text)
        if file in GENERATED:
            continue
        description = page.find("meta", attrs={"name": "description"})["content"]
        assert 20 <= len(description) <= 165 and bool(CHINESE.search(description)) == (edition == "zh"), (
            f"{name}: {description}"
        )
        alternates = {link["hreflang"]: link["href"] for link in page.find_all("link", rel="alternate", hreflang=True)}
        assert alternates["en"].endswith(f"/en/{file}") and alternates["zh-CN"].endswith(f"/zh/{file}"), name
        assert page.find("link", rel="icon"), name
    for edition, names in titles.items():
        assert len(names) == len(set(names)), f"{edition}: two pages share a title"


def test_images_have_alternative_text(documents):
    for name, page in documents.items():
        article = page.find("article") or page
        for image in article.find_all("img"):
            assert image.get("alt", "").strip() or name in ("index.html", "404.html"), f"{name}: {image}"


def test_citations_and_terms_are_links(documents):
    """A chapter's citations lead to bibliography entries that stand on the page."""
    entries = {tag["id"] for tag in documents["en/bibliography.html"].find_all(id=True)}
    cited = {
        urldefrag(tag["href"])[1]
        for name, page in documents.items()
        if name.startswith("en/")
        for tag in page.find_all("a", href=re.compile(r"bibliography\.html#"))
    }
    assert cited and cited <= entries


def test_a_bare_build_works_without_a_warning(tmp_path):
    """`jupyter-book build .` shows both editions in one preview."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(ROOT),
        "-W",
        "--keep-going",
        "--path-output",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf8")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    for edition in ("en", "zh"):
        assert (tmp_path / "_build" / "html" / "book" / edition / "index.html").exists()
