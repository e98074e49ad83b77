"""The built site in a real browser, served as readers get it. Skipped, and said so, where there is no Chromium."""
import json
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, open_page

from bookkit.editions import chapters

CHAPTERS = chapters()
PAGES = ["index", *CHAPTERS, "faq", "teaching", "resources", "status", "coverage", "corrections", "glossary", "bibliography", "search"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [f"{edition}/{name}.html" for edition in ("en", "zh") for name in PAGES] + ["index.html", "404.html"])
def test_page(browser, address, path, scheme):
    """A page loads without errors, sets its mathematics, follows the theme, and has no serious fault that axe-core knows."""
    with open_page(browser, color_scheme=scheme) as page:
        page.goto(f"{address}/{path}", wait_until="networkidle")
        assert page.locator("h1").first.inner_text()
        if page.locator(".math").count():
            page.wait_for_selector("mjx-container")
            assert page.locator("mjx-merror").count() == 0
        assert page.faults == []    # before axe-core, which fetches style sheets itself, at addresses that do not exist
        if path.count("/"):
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
        # The two themes share their structure: in the dark one only colours can differ.
        rules = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if scheme == "dark" else {}
        violations = [violation for violation in Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
                      if violation["impact"] in ("serious", "critical")]
        summary = [(violation["id"], [node["html"][:160] for node in violation["nodes"][:4]]) for violation in violations]
        assert not violations, json.dumps(summary, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("edition", ["en", "zh"])
def test_pages_fit_a_phone(browser, address, edition, name):
    """Nothing but its own scrolling parts is wider than the screen, and the menu opens."""
    with open_page(browser, viewport=PHONE) as page:
        page.goto(f"{address}/{edition}/{name}.html", wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"] + 1
        page.locator(".primary-toggle").first.click()
        page.wait_for_selector(".bd-links__title, .bd-sidebar-primary .bd-links, #pst-primary-sidebar-modal .bd-links", state="visible")
        assert page.faults == []


@pytest.mark.parametrize("edition, query, expected", [
    ("zh", "梯度下降算法", "linear-regression"), ("zh", "反向传播", "backprop"), ("zh", "均方误差", "linear-regression"),
    ("zh", "bootstrap", "linear-regression"), ("en", "gradient descent", "linear-regression"), ("en", "vanishing gradients", "backprop"),
    ("en", "board plan", "teaching"), ("zh", "评分标准", "teaching"), ("zh", "覆盖对照", "coverage"),
    ("en", "retired Attic", "resources"), ("zh", "怎样训练", "faq"), ("en", "what a run costs", "status"), ("zh", "运行要花多少", "status"),
    ("en", "register of corrections", "corrections"), ("zh", "更正表", "corrections")])
def test_search_finds(browser, address, edition, query, expected):
    with open_page(browser) as page:
        page.goto(f"{address}/{edition}/search.html?q={quote(query)}")
        page.wait_for_selector("#search-results ul.search li a")
        page.wait_for_function("/finished|完成/.test(document.querySelector('#search-results .search-summary')?.textContent)")
        found = page.locator("#search-results ul.search li > a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert any(expected in link for link in found), found
        assert page.faults == []


def test_search_finds_nothing_where_there_is_nothing(browser, address):
    with open_page(browser) as page:
        page.goto(f"{address}/zh/search.html?q={quote('葡萄牙语语法')}")
        page.wait_for_selector("#search-results .search-summary")
        page.wait_for_timeout(500)
        assert page.locator("#search-results ul.search li > a").count() == 0


def test_search_from_the_button(browser, address):
    with open_page(browser) as page:
        page.goto(f"{address}/zh/index.html", wait_until="networkidle")
        page.locator(".search-button-field").first.click()
        page.keyboard.type("反向传播")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results ul.search li a")
        assert page.faults == []


@pytest.mark.parametrize("name", ["index", *CHAPTERS, "glossary"])
def test_language_switch_leads_to_the_same_page_and_back(browser, address, name):
    with open_page(browser) as page:
        page.goto(f"{address}/en/{name}.html")
        page.locator("a.language-switch").first.click()
        assert page.url == f"{address}/zh/{name}.html" and page.evaluate("document.documentElement.lang") == "zh-CN"
        page.locator("a.language-switch").first.click()
        assert page.url == f"{address}/en/{name}.html"


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_register_can_be_filtered(browser, address, edition):
    with open_page(browser) as page:
        page.goto(f"{address}/{edition}/corrections.html")
        shown = page.locator("dl.book-entries > dt").locator("visible=true")
        everything = shown.count()
        page.locator("form.register-filter select[name=kind]").select_option("outdated")
        outdated = shown.count()
        assert 0 < outdated < everything and page.locator("dt:visible .fault-outdated").count() == outdated
        page.locator("form.register-filter select[name=article]").select_option("a4")
        assert 0 < shown.count() < outdated and all("A4" in text for text in shown.all_inner_texts())
        assert str(shown.count()) in page.locator("form.register-filter output").inner_text()
        page.evaluate("location.hash = '#c001'")        # a link to an entry that the filter hides
        page.wait_for_function("!document.getElementById('c001').hidden")
        assert shown.count() == everything and page.faults == []


def test_code_cells_have_addresses(browser, address):
    """A link of the register leads to the very cell."""
    with open_page(browser) as page:
        page.goto(f"{address}/en/corrections.html")
        link = page.locator("p.origin a[href*='#cell-']").first
        target = link.get_attribute("href").partition("#")[2]
        link.click()
        page.wait_for_url(f"**#{target}")
        assert page.locator(f"#{target} div.highlight").count() and page.locator(f"#{target}").evaluate(
            "cell => cell.getBoundingClientRect().top < innerHeight")


def test_theme_switch(browser, address):
    with open_page(browser, color_scheme="light") as page:
        page.goto(f"{address}/en/index.html", wait_until="networkidle")
        page.locator("button.theme-switch-button").locator("visible=true").first.click()
        assert page.evaluate("document.documentElement.dataset.mode") != "auto"


def test_copy_button(browser, address):
    with open_page(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{address}/en/linear-regression.html", wait_until="networkidle")
        cell = page.locator("div.cell_input").first
        cell.hover()
        cell.locator("button.copybtn").click()
        assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


def test_chapter_buttons(browser, address):
    """Colab, download of the notebook, edit link, previous and next."""
    with open_page(browser) as page:
        page.goto(f"{address}/zh/backprop.html", wait_until="networkidle")
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
def test_missing_page(browser, address, path):
    with open_page(browser) as page:
        response = page.goto(address + path)
        assert response.status == 404
        page.locator("nav a[lang=zh-CN]").click()
        assert page.url == f"{address}/zh/index.html"


def test_folded_solution_opens(browser, address):
    with open_page(browser) as page:
        page.goto(f"{address}/en/linear-regression.html", wait_until="networkidle")
        folded = page.locator("div.tag_hide-cell details").first
        assert not folded.locator("pre").first.is_visible()
        folded.locator("summary").click()
        assert folded.locator("pre").first.is_visible()
