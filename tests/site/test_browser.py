"""The built site in a real browser, served as readers get it. Skipped, and said so, where there is no Chromium.

Each page is loaded once for all that is asked of every page (browsing.py holds the checks). The tests below it press what
can be pressed. They share one context, and with it the browser's cache, unless they leave something in its storage.
"""

import functools
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import browsing
import pytest
from browsing import (
    CHROMIUM,
    axe_faults,
    interface_faults,
    mathematics_faults,
    open_page,
    phone_faults,
    scrolling_faults,
    set_theme,
    settle,
    watched,
)

from bookkit import examined, proof
from bookkit.editions import LANGUAGE_TAGS, chapters

CHAPTERS = chapters()
PAGES = [
    "index",
    *CHAPTERS,
    "faq",
    "teaching",
    "resources",
    "status",
    "coverage",
    "corrections",
    "glossary",
    "notation",
    "bibliography",
    "search",
    "genindex",
]
QUERIES = {"en": "gradient", "zh": "梯度"}


@pytest.mark.parametrize(
    "path", [f"{edition}/{name}.html" for edition in ("en", "zh") for name in PAGES] + ["index.html", "404.html"]
)
def test_page(request, site, path):
    """One load of a page, for all that must hold on each: see examine_page. Once, while nothing that it shows changes."""
    with examined.once("pages", path, *shown_by(site, path)):
        context, address = request.getfixturevalue("context"), request.getfixturevalue("address")
        with watched(context) as page:
            faults = examine_page(page, address, site, path)
        assert not faults, f"{path}:\n" + "\n".join(faults)


def shown_by(site, path):
    """Return all that decides what a browser shows of a page: itself, the files it names, what all pages share, browser and tests."""
    page = (site / path).read_bytes()
    named = {unquote(name.decode()).partition("?")[0] for name in re.findall(rb'(?:src|href|data)="([^":#]+)', page)}
    files = sorted({((site / path).parent / name).resolve() for name in named if not name.endswith(".html")})
    if path.endswith("search.html"):
        files.append(site / path.replace("search.html", "searchindex.js"))
    own = [file.read_bytes() for file in files if file.is_file()]
    return page, shared_by(site), CHROMIUM, *own


@functools.cache
def shared_by(site):
    """Return the digest of what any page may load (style, scripts, fonts, the demos' files), of the browser and of these tests."""
    loaded = (file for file in sorted(site.rglob("*")) if file.is_file() and "_static" in file.parts)
    version = subprocess.run([CHROMIUM, "--version"], capture_output=True, check=True).stdout if CHROMIUM else b""
    tests = [Path(__file__).read_bytes(), Path(browsing.__file__).read_bytes()]
    return proof.digest(*(file.read_bytes() for file in loaded), *tests, version)


def examine_page(page, address, site, path):
    """Return the faults of a page: errors in its console, third parties, mathematics, axe-core's serious faults, colours in the
    dark theme, the width and the menu on a phone, the language of the interface, and where the language switch leads."""
    edition, _, name = path.rpartition("/")
    page.goto(
        f"{address}/{path}" + (f"?q={quote(QUERIES[edition])}" if name == "search.html" else ""),
        wait_until="domcontentloaded",
    )
    settle(page)
    if name == "search.html":
        wait_for_search(page)
    faults = [] if page.locator("h1:visible").first.inner_text() else ["no heading"]
    if edition and page.evaluate("document.documentElement.dataset.theme") != "light":
        faults.append("the page does not follow the system's light theme")
    faults += mathematics_faults(page) + scrolling_faults(page) + axe_faults(page)
    set_theme(page, "dark")
    faults += [f"in the dark theme: {fault}" for fault in axe_faults(page, colours_only=True)]
    faults += phone_faults(page, menu=bool(edition))
    faults += interface_faults(page)
    if edition:
        faults += switch_faults(page, site, edition, name)
    return faults + page.faults


def switch_faults(page, site, edition, name):
    """What is wrong with the language switch of a page: it leads to the same page of the other edition, and says so."""
    other = {"en": "zh", "zh": "en"}[edition]
    switch = page.locator("a.language-switch").first
    target = urlsplit(urljoin(page.url, switch.get_attribute("href"))).path
    faults = []
    if target != f"/{other}/{name}" or not (site / other / name).exists():
        faults.append(f"the language switch leads to {target}")
    if (
        switch.get_attribute("hreflang") != LANGUAGE_TAGS[other]
        or page.evaluate("document.documentElement.lang") != LANGUAGE_TAGS[edition]
    ):
        faults.append("the page or its language switch names a wrong language")
    return faults


def wait_for_search(page):
    page.wait_for_function(
        "/finished|完成|未匹配|没有匹配|not match/.test(document.querySelector('#search-results .search-summary')?.textContent)"
    )


@pytest.mark.parametrize(
    "edition, query, expected",
    [
        ("zh", "梯度下降算法", "linear-regression"),
        ("zh", "反向传播", "backprop"),
        ("zh", "均方误差", "linear-regression"),
        ("zh", "bootstrap", "linear-regression"),
        ("en", "gradient descent", "linear-regression"),
        ("en", "vanishing gradients", "backprop"),
        ("en", "board plan", "teaching"),
        ("zh", "评分标准", "teaching"),
        ("zh", "覆盖对照", "coverage"),
        ("en", "retired Attic", "resources"),
        ("zh", "怎样训练", "faq"),
        ("en", "what a run costs", "status"),
        ("zh", "运行要花多少", "status"),
        ("en", "register of corrections", "corrections"),
        ("zh", "更正表", "corrections"),
    ],
)
def test_search_finds(context, address, edition, query, expected):
    with watched(context) as page:
        page.goto(f"{address}/{edition}/search.html?q={quote(query)}", wait_until="domcontentloaded")
        page.wait_for_selector("#search-results ul.search li a")
        wait_for_search(page)
        found = page.locator("#search-results ul.search li > a").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )
        assert any(expected in link for link in found), found
        assert page.faults == []


def test_search_finds_nothing_where_there_is_nothing(context, address):
    with watched(context) as page:
        page.goto(f"{address}/zh/search.html?q={quote('葡萄牙语语法')}", wait_until="domcontentloaded")
        wait_for_search(page)
        assert page.locator("#search-results ul.search li > a").count() == 0
        assert interface_faults(page) == [] and page.faults == []


def test_search_from_the_button(context, address):
    with watched(context) as page:
        page.goto(f"{address}/zh/index.html", wait_until="load")
        page.locator(".search-button-field").first.click()
        page.keyboard.type("反向传播")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results ul.search li a")
        assert page.faults == []


def test_language_switch_leads_to_the_same_page_and_back(browser, address):
    """Pressed once; test_page looks at the target of each page. The cover then offers the edition chosen last."""
    with open_page(browser) as page:
        page.goto(f"{address}/en/glossary.html", wait_until="domcontentloaded")
        page.locator("a.language-switch").first.click()
        assert page.url == f"{address}/zh/glossary.html" and page.evaluate("document.documentElement.lang") == "zh-CN"
        page.locator("a.language-switch").first.click()
        assert page.url == f"{address}/en/glossary.html"
        page.locator("a.language-switch").first.click()
        page.wait_for_url("**/zh/glossary.html")
        page.goto(f"{address}/index.html")
        assert page.locator("[data-edition]").first.get_attribute("data-edition") == "zh"


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_register_can_be_filtered(context, address, edition):
    with watched(context) as page:
        page.goto(f"{address}/{edition}/corrections.html")
        shown = page.locator("dl.book-entries > dt").locator("visible=true")
        everything = shown.count()
        page.locator("form.register-filter select[name=kind]").select_option("outdated")
        outdated = shown.count()
        assert 0 < outdated < everything and page.locator("dt:visible .fault-outdated").count() == outdated
        page.locator("form.register-filter select[name=article]").select_option("a4")
        assert 0 < shown.count() < outdated and all("A4" in text for text in shown.all_inner_texts())
        assert str(shown.count()) in page.locator("form.register-filter output").inner_text()
        page.evaluate("location.hash = '#c001'")  # a link to an entry that the filter hides
        page.wait_for_function("!document.getElementById('c001').hidden")
        assert shown.count() == everything and page.faults == []


def test_code_cells_have_addresses(context, address):
    """A link of the register leads to the very cell."""
    with watched(context) as page:
        page.goto(f"{address}/en/corrections.html")
        link = page.locator("p.origin a[href*='#cell-']").first
        target = link.get_attribute("href").partition("#")[2]
        link.click()
        page.wait_for_url(f"**#{target}")
        assert page.locator(f"#{target} div.highlight").count() and page.locator(f"#{target}").evaluate(
            "cell => cell.getBoundingClientRect().top < innerHeight"
        )


def test_theme_switch(browser, address):
    with open_page(browser, color_scheme="light") as page:
        page.goto(f"{address}/en/index.html", wait_until="load")
        page.locator("button.theme-switch-button").locator("visible=true").first.click()
        assert page.evaluate("document.documentElement.dataset.mode") != "auto"


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_copy_button(browser, address, edition):
    """It copies what the cell holds, and says so in the reader's language."""
    with open_page(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{address}/{edition}/linear-regression.html", wait_until="load")
        cell = page.locator("div.cell_input").first
        cell.hover()
        button = cell.locator("button.copybtn")
        before = button.get_attribute("data-tooltip")
        button.click()
        page.wait_for_function(
            "([button, before]) => button.dataset.tooltip !== before", arg=[button.element_handle(), before]
        )
        assert interface_faults(page) == []
        assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


def test_chapter_buttons(context, address):
    """Colab, download of the notebook, edit link, previous and next."""
    with watched(context) as page:
        page.goto(f"{address}/zh/backprop.html", wait_until="domcontentloaded")
        links = page.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert any("colab.research.google.com" in link and link.endswith("book/zh/backprop.ipynb") for link in links)
        assert any("/edit/main/book/zh/backprop.ipynb" in link for link in links)
        download = next(link for link in links if link.endswith("_sources/backprop.ipynb"))
        notebook = page.request.get(f"{address}/zh/{download}")
        assert notebook.ok and json.loads(notebook.text())["nbformat"] == 4
        assert page.locator("a.left-prev").count() == 1 and page.locator("a.right-next").count() == 1


def test_cover_remembers_the_edition(browser, address):
    with open_page(browser) as page:
        page.goto(f"{address}/index.html")
        page.locator("[data-edition=zh]").click()
        assert page.url == f"{address}/zh/index.html"
        page.goto(f"{address}/index.html")
        assert page.locator("[data-edition]").first.get_attribute("data-edition") == "zh"
        assert page.faults == []


@pytest.mark.parametrize("path", ["/en/no-such-page.html", "/no-such-page", "/zh/folder/no-such-page.html"])
def test_missing_page(context, address, path):
    with watched(context) as page:
        response = page.goto(address + path)
        assert response.status == 404
        page.locator("nav a[lang=zh-CN]").click()
        assert page.url == f"{address}/zh/index.html"


def test_folded_solution_opens(context, address):
    with watched(context) as page:
        page.goto(f"{address}/en/linear-regression.html", wait_until="domcontentloaded")
        folded = page.locator("div.tag_hide-cell details").first
        assert not folded.locator("pre").first.is_visible()
        folded.locator("summary").click()
        assert folded.locator("pre").first.is_visible()
