"""Language switch, page descriptions and `hreflang`, Chinese search, Chinese interface text, offline mathematics."""

import gettext
import html
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.locale import translators
from sphinx.search.en import SearchEnglish

from bookkit.editions import LANGUAGE_TAGS, LANGUAGES, edition_of

SWITCH = {
    "en": {"text": "中文", "hint": "阅读本页中文版"},
    "zh": {"text": "English", "hint": "Read this page in English"},
}
DESCRIPTION_LENGTH = 160  # characters that search engines show

# Interface text that the catalogues of Sphinx and of the themes leave in English, or say otherwise than this book does.
INTERFACE_CHINESE = {
    "Color mode": "配色",
    "System Settings": "跟随系统",
    "Light": "浅色",
    "Dark": "深色",
    "Launch interactive content": "在线运行",
    "Launch on": "打开",
    "Source repositories": "源代码仓库",
    "Source repository": "源代码仓库",
    "Repository": "仓库",
    "Suggest edit": "修改本页",
    "Open issue": "报告问题",
    "Download this page": "下载本页",
    "Download source file": "下载笔记本",
    "Print to PDF": "打印为PDF",
    "Fullscreen mode": "全屏",
    "Toggle primary sidebar": "显示或隐藏全书目录",
    "Toggle secondary sidebar": "显示或隐藏本页目录",
    "logo": "标志",
    "Search": "搜索",
    "Contents": "本页目录",
    "previous page": "上一页",
    "next page": "下一页",
    "Back to top": "回到顶部",
    "Skip to main content": "跳到正文",
    "Link to this heading": "本节链接",
    "Link to this definition": "本条链接",
    "Link to this term": "本术语链接",
    "Link to this equation": "本公式链接",
    "Link to this table": "本表链接",
    "Link to this code": "本段代码链接",
    "Link to this image": "本图链接",
    "Link to this toctree": "本目录链接",
    "© Copyright %(copyright)s.": "版权所有 © %(copyright)s",
}
# Labels that the themes' templates write without asking a catalogue.
FIXED_LABELS_CHINESE = {
    '<nav class="bd-links bd-docs-nav" aria-label="Main">': '<nav class="bd-links bd-docs-nav" aria-label="全书目录">',
    '<nav aria-label="Page">': '<nav aria-label="本页目录">',
}
# This label would hide from screen readers what the summary itself says: "Show the solution".
FOLD_LABEL = '<summary aria-label="Toggle hidden content">'


class ChineseInterface(gettext.NullTranslations):
    """Answers for the texts that no catalogue translates."""

    def gettext(self, message):
        return INTERFACE_CHINESE.get(message, message)


def complete_translations(app):
    """Let INTERFACE_CHINESE complete and correct the catalogues of Sphinx and of the theme in the Chinese edition."""
    if app.config.book_edition == "zh":
        for name in ("sphinx", "booktheme"):
            catalogue = translators["general", name]
            catalogue.add_fallback(ChineseInterface())
            # A fallback is asked only for what a catalogue lacks, and one of them gives "© Copyright" as its own translation.
            getattr(catalogue, "_catalog", {}).update(INTERFACE_CHINESE)


def chinese_labels(text):
    """Return a page's HTML with the themes' fixed labels in Chinese."""
    for english, chinese in FIXED_LABELS_CHINESE.items():
        text = text.replace(english, chinese)
    return text


class SearchChinese(SearchEnglish):
    """Indexes Chinese text as overlapping pairs of characters, and cuts the query in the browser the same way.

    Sphinx' own Chinese search cuts the index with a dictionary but not the query, so that a query longer than one
    dictionary word finds nothing. Latin words are stemmed as in English.
    """

    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = r"""
var splitQuery = (query) => {
  const words = [];
  for (const run of query.match(/[\u3400-\u9fff]+|[^\W_\u3400-\u9fff][\w]*|[\p{Letter}\p{Number}_]+/gu) || []) {
    if (/^[\u3400-\u9fff]/.test(run) && run.length > 2)
      for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
    else words.push(run);
  }
  return words;
};
"""
    runs = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")

    def split(self, text):
        words = []
        for run in self.runs.findall(text):
            if "\u3400" <= run[0] <= "\u9fff":
                words += list(run) + [run[i : i + 2] for i in range(len(run) - 1)]
            else:
                words.append(run)
        return words

    def word_filter(self, word):
        return "\u3400" <= word[:1] <= "\u9fff" or super().word_filter(word)


def description(doctree):
    """Return the page's first paragraph as plain text, cut at a word or a full stop."""
    text = next(
        (" ".join(node.astext().split()) for node in doctree.findall(nodes.paragraph) if node.astext().strip()), ""
    )
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    cut = text[: DESCRIPTION_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[-40:] else cut) + "…"


def page_context(app, pagename, templatename, context, doctree):
    """Add the language switch and the head's description and alternates; drop scripts that call a third party."""
    if "script_files" in context:
        # sphinx-thebe writes its unpkg address on every page, used or not.
        context["script_files"][:] = [
            script
            for script in context["script_files"]
            if "THEBE_JS_URL" not in (getattr(script, "attributes", {}).get("body") or "")
            and "sphinx-thebe" not in str(getattr(script, "filename", "") or "")
        ]
    edition = edition_of(app.config, pagename)
    other = "zh" if edition == "en" else "en"
    root = context.get("content_root", context.get("pathto")("", 1) if "pathto" in context else "")
    if app.config.book_edition:
        twin = pagename if pagename in app.env.found_docs or pagename in ("search", "genindex") else "index"
        address = f"{root}../{other}/{twin}.html"
    else:
        twin = pagename.replace(f"book/{edition}/", f"book/{other}/")
        address = f"{root}{twin if twin in app.env.found_docs else f'book/{other}/index'}.html"
    context["in_edition_language"] = chinese_labels if edition == "zh" else str
    context["language_switch"] = {"url": address, "edition": other, "tag": LANGUAGE_TAGS[other], **SWITCH[edition]}
    if doctree is None:
        return
    # docutils calls the bibliography a list, but its entries no list items: screen readers would announce an empty list.
    context["body"] = context["body"].replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    context["body"] = context["body"].replace(FOLD_LABEL, "<summary>")
    text = html.escape(description(doctree), quote=True)
    tags = [f'<meta name="description" content="{text}">']
    if app.config.book_edition and app.config.html_baseurl:  # these links need whole addresses
        site = app.config.html_baseurl.rstrip("/").rsplit("/", 1)[0]
        tags += [
            f'<link rel="alternate" hreflang="{LANGUAGE_TAGS[language]}" href="{site}/{language}/{pagename}.html">'
            for language in LANGUAGES
        ]
        tags.append(f'<link rel="alternate" hreflang="x-default" href="{site}/en/{pagename}.html">')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def copy_mathjax(app, error):
    """Copy the parts of MathJax that a page loads from the installed wheel into the site."""
    if error is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir, "_static", "mathjax")
    for part in ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions", "a11y/assistive-mml.js"):
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy(source / part, target / part)


def setup(app):
    app.add_search_language(SearchChinese)
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("builder-inited", complete_translations)
    app.connect("html-page-context", page_context, priority=200)  # at 900 the template is already dropped
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
