"""The checks of browsing.py can fail: faults planted in a page of the built site are found, each by its message."""

import re
from functools import partial

import pytest
from browsing import watched
from test_browser import examine_page

# {what is planted at the end of the article: HTML, what the check must say}
PLANTS = {
    "zh": {
        "error in the console": ('<script>console.error("planted")</script>', r"^console: planted"),
        "error in a script": ("<script>null.planted()</script>", r"^error: .*planted"),
        "missing file": ('<script src="no-such-file.js"></script>', r"^404: .*/zh/no-such-file\.js"),
        "third party": (
            '<script src="https://example.org/planted.js"></script>',
            r"^third-party request: https://example\.org/planted\.js",
        ),
        "formula": (r'<p><span class="math">\(x\)</span></p>', r"^mathematics not set: \\\(x\\\)"),
        "picture without text": ('<img src="_static/favicon.svg" id="mute" width="20">', r"^axe image-alt: .*mute"),
        "pale text": ('<p style="color:#bbb;background:#fff" id="pale">灰字</p>', r"^axe color-contrast: .*pale"),
        "pale code": (
            '<pre style="background:#fff;color:#000">x = <span style="color:#ccc" id="pale-code">12</span></pre>',
            r"^axe color-contrast: .*pale-code",
        ),
        "link like its text": (
            '<p style="color:#333;background:#fff">不下划线的<a href="index.html" id="hidden-link" style="color:#222;text-decoration:none">链接</a>在文中</p>',
            r"^axe link-in-text-block: .*hidden-link",
        ),
        "pale text in the dark": (
            "<style>html[data-theme=dark] #dim { color: #444; background: #222 } html[data-theme=light] #dim { color: #000; background: #fff }</style>"
            '<p id="dim">暗字</p>',
            r"^in the dark theme: axe color-contrast: .*dim",
        ),
        "long line of code": (
            "<pre>" + "x" * 150 + "</pre>",
            r"^scrolls sideways: 'x{120}'",
        ),
        "wide": ('<div style="width:900px;height:2px" id="wide"></div>', r"^\d{3} pixels wide on a phone .*wide"),
        "English tooltip": (
            '<button title="Copy to clipboard">复制</button>',
            r"^not in the language zh-CN: \S+ of .*'Copy to clipboard'",
        ),
        "English tooltip of a script": (
            '<script>addEventListener("load", () => document.querySelector("article h1").dataset.tooltip = "Copied!")</script>',
            r"^not in the language zh-CN: data-tooltip of .*'Copied!'",
        ),
        "English button": ("<button>运行 Run this</button>", r"^not in the language zh-CN: text of .*'运行 Run this'"),
        "English box": (
            '<div class="admonition"><p class="admonition-title">Note</p></div>',
            r"^not in the language zh-CN: text of .*'Note'",
        ),
        "English head of a table": (
            '<div class="data-table"><table><tr><th>time</th></tr></table></div>',
            r"^not in the language zh-CN: text of .*'time'",
        ),
        "English text outside all prose": ("<div>Loading</div>", r"^not in the language zh-CN: text of .*'Loading'"),
        "English without JavaScript": (
            "<noscript><p>Switch it on</p></noscript>",
            r"^not in the language zh-CN: text of noscript: 'Switch it on'",
        ),
    },
    "en": {
        "Chinese tooltip": ('<button title="复制">Copy</button>', r"^not in the language en: \S+ of .*'复制'"),
        "Chinese label": ("<label>搜索 <select></select></label>", r"^not in the language en: text of .*'搜索'"),
    },
}
# {what is changed in the page: what stands there, what is put in its place, what the check must say}
CHANGES = {
    "en": {
        "language switch": (
            'href="./../zh/status.html"',
            'href="./../zh/index.html"',
            r"^the language switch leads to /zh/index\.html",
        ),
        "menu": (
            "</head>",
            "<style>.primary-toggle { pointer-events: none }</style></head>",
            r"^the menu does not open on a phone",
        ),
    },
}
CASES = [(edition, name) for kind in (PLANTS, CHANGES) for edition, faults in kind.items() for name in faults]


def answer(text, route):
    route.fulfill(body=text, content_type="text/html; charset=utf-8")


@pytest.fixture(scope="module")
def planted(context, address, site):
    """{edition: what the checks say of its status page with all faults in it}; test_page shows that they say nothing without."""
    result = {}
    for edition in ("en", "zh"):
        text = (site / edition / "status.html").read_text("utf8")
        for old, new, _ in CHANGES.get(edition, {}).values():
            assert old in text, old
            text = text.replace(old, new)
        article = text.index("</article>")
        text = text[:article] + "".join(html for html, _ in PLANTS[edition].values()) + text[article:]
        with watched(context) as page:
            page.route(f"**/{edition}/status.html", partial(answer, text))
            result[edition] = examine_page(page, address, site, f"{edition}/status.html")
    return result


@pytest.mark.parametrize("edition, name", CASES)
def test_a_planted_fault_is_found(planted, edition, name):
    expected = (PLANTS[edition].get(name) or CHANGES[edition][name])[-1]
    assert any(re.search(expected, fault, re.S) for fault in planted[edition]), "\n".join(planted[edition])
