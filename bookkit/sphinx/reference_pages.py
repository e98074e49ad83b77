"""The pages made from data for both editions: glossary, notation, corrections, questions, coverage, status, addresses of citations.

Each of these pages holds directives. Their entries come from `glossary.yml`, `notation.yml`, `corrections.yml`, `faq.yml` and
`coverage.yml`; the status from the committed notebooks. Chapters link to an entry as to a heading
(`glossary.md#gradient`, `corrections.md#c022`, `bibliography.md#kingma2015adam`), and these files to cells by the
targets of `places.py`; MyST checks all these addresses while it builds.
"""

import re
from collections import Counter
from functools import cached_property
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from bookkit.editions import edition_of
from bookkit.facts import chapter_facts
from bookkit.places import Places

LABELS = {
    "en": {
        "wrong": "wrong",
        "imprecise": "imprecise",
        "outdated": "outdated",
        "unsourced": "unsourced",
        "withdrawn": "withdrawn",
        "why": "Withdrawn: ",
        "was": "Marked '{}' in the first edition. ",
        "register": "{total} entries: {wrong} wrong, {imprecise} imprecise, {outdated} outdated, {unsourced} unsourced. Read again for the "
        "second edition, {withdrawn} were withdrawn as unfair or mistaken, and {marked} got another mark.",
        "says": "Says: ",
        "right": "Right: ",
        "shown": "shown by a cell in ",
        "told": "explained in ",
        "planned": "planned for the chapter ",
        "own": "run in the chapter",
        "text": "the article's own text",
        "introduced": "first in",
        "separator": "; ",
        "asked": "asked in ",
        "proof": "; shown in ",
        "coverage": ("item", "section", "kind", "what the article has", "where this book treats it"),
        "covered": "{total} items: {covered} covered, {partly} covered in part with more planned for a later chapter, "
        "{planned} planned for a later chapter.",
        "notation": ("symbol", "in programs", "shape", "meaning"),
        "status": ("chapter", "time", "peak memory", "data", "code cells", "checks", "exercises", "self-check"),
        "no data": "generated or bundled with a library",
        "run": "All {chapters} chapters: {minutes:.0f} minutes on {cores} CPU cores, {checks} checks, {exercises} exercises.",
    },
    "zh": {
        "wrong": "错误",
        "imprecise": "不严谨",
        "outdated": "过时",
        "unsourced": "无出处",
        "withdrawn": "已撤回",
        "why": "撤回理由：",
        "was": "第一版标为“{}”。",
        "register": "共{total}条：错误{wrong}条，不严谨{imprecise}条，过时{outdated}条，无出处{unsourced}条。为第二版重读时，"
        "有{withdrawn}条因不公允或本身有误而撤回，{marked}条改了类别。",
        "says": "原文：",
        "right": "更正：",
        "shown": "代码单元格演示见",
        "told": "说明见",
        "planned": "计划写入章节",
        "own": "由正文运行得出",
        "text": "见原文本身",
        "introduced": "首见于",
        "separator": "；",
        "asked": "出处：",
        "proof": "；演示见",
        "coverage": ("条目", "原文章节", "类别", "原文内容", "本书何处讲到"),
        "covered": "共{total}条：已覆盖{covered}条，已部分覆盖、其余计划写入后续章节{partly}条，计划写入后续章节{planned}条。",
        "notation": ("符号", "程序中的名称", "形状", "含义"),
        "status": ("章节", "用时", "内存峰值", "数据", "代码单元格", "检查", "练习", "自测题"),
        "no data": "现场生成或随库附带",
        "run": "全部{chapters}章：{cores}个CPU核上共{minutes:.0f}分钟，{checks}项检查，{exercises}道练习。",
    },
}
KINDS_CHINESE = {
    "concept": "概念",
    "definition": "定义",
    "algorithm": "算法",
    "formula": "公式",
    "code": "程序",
    "application": "应用",
    "system": "系统",
    "tool": "工具",
    "resource": "资源",
    "challenge": "挑战",
    "trend": "趋势",
    "FAQ": "问答",
    "deployment": "部署",
    "practice": "实践",
    "claim": "断言",
}
SECTIONS_CHINESE = {"keywords": "关键词", "refs": "参考文献", "end": "结尾", "footer": "页脚"}  # the others are numbers
ARTICLES = ("A0", "A1", "A2", "A3", "A4")
MARKS = {"ERROR": "wrong", "IMPRECISE": "imprecise", "OUTDATED": "outdated", "UNSOURCED": "unsourced"}
# The parts of the lines that the loaders of `landing.data` print: notebooks print English in both editions, this table does not.
DATA_CHINESE = [
    (re.compile(english), chinese)
    for english, chinese in (
        (r"MNIST|Auto-MPG|CIFAR-10", r"\g<0>"),
        (r"Composite stand-in in the style of MNIST-M, not CIFAR-10", "按MNIST-M的方式合成的替代图片，不是CIFAR-10"),
        (r"English film review sentences", "英文影评句子"),
        (r"Chinese reviews", "中文评论"),
        (r"([\d,]+) \+ ([\d,]+)", r"\1+\2条"),
        (r"([\d,]+) \+ ([\d,]+) digits", r"\1+\2个手写数字"),
        (r"([\d,]+) \+ ([\d,]+) images", r"\1+\2张图片"),
        (r"([\d,]+) \+ ([\d,]+) cars", r"\1+\2辆汽车"),
        (r"(\d+) columns", r"\1列"),
        (r"each text once", "重复的文本只留一条"),
        (r"with the repeated texts", "保留重复的文本"),
        (r"packaged with ([\w-]+)", r"随\1安装"),
        (
            r"packaged with ([\w-]+) \(the full set is not on disk and not reachable\)",
            r"随\1安装（磁盘上没有完整数据集，也下载不到）",
        ),
        (
            r"made of digits packaged with ([\w-]+) and photographs packaged with ([\w-]+)",
            r"由随\1安装的手写数字和随\2安装的照片合成",
        ),
        (r"from the BOOK_DATA folder", "取自BOOK_DATA指定的文件夹"),
        (r"not the original arrays", "不是原始数组"),
        (r"from the Keras cache", "取自Keras的缓存"),
        (r"Keras download", "由Keras下载"),
        (r"Keras download \(not kept: the Keras cache cannot be written\)", "由Keras下载（缓存无法写入，没有保留）"),
        (r"Shakespeare", "莎士比亚作品"),
        (r"Tang quatrains", "唐诗绝句"),
        (r"([\d,]+) \+ ([\d,]+) \+ ([\d,]+) characters", r"\1+\2+\3个字符"),
        (r"([\d,]+) \+ ([\d,]+) \+ ([\d,]+) poems", r"\1+\2+\3首"),
        (r"packaged", "随本书的软件包安装"),
    )
]


def chinese_data_line(line):
    """Return a loader's line in Chinese; KeyError names the part that DATA_CHINESE lacks."""

    def translate(part):
        for english, chinese in DATA_CHINESE:
            found = english.fullmatch(part)
            if found:
                return found.expand(chinese)
        raise KeyError(part)

    what, _, rest = line.partition(": ")
    return f"{translate(what)}：{'，'.join(translate(part) for part in rest.split(', '))}"


class FromData(SphinxDirective):
    """What the directives below share: the edition, its labels, and the book's data files."""

    has_content = False
    optional_arguments = 1

    def run(self):
        self.edition = edition_of(self.config, self.env.docname)
        self.labels = LABELS[self.edition]
        self.folder = self.env.docname.rpartition("/")[0]
        self.folder += "/" if self.folder else ""
        self.places = self.env.app.book_places
        return self.content_nodes()

    def read(self, name):
        """Return the mapping in `<book_data>/<name>.yml`."""
        path = Path(self.env.srcdir, self.config.book_data, f"{name}.yml").resolve()
        self.env.note_dependency(str(path))
        return yaml.safe_load(path.read_text("utf8"))

    def link(self, slug, anchor, text):
        """Return a cross-reference as MyST makes it for `[text](slug.ipynb#anchor)`, so that MyST checks it."""
        return addnodes.pending_xref(
            "",
            nodes.inline("", text),
            refdomain="doc",
            reftype="myst",
            reftarget=f"{self.folder}{slug}",
            reftargetid=anchor or None,
            refexplicit=True,
            refdoc=self.env.docname,
        )

    def place(self, target):
        """Return the Place of a target; a wrong one stops the build with its name."""
        try:
            return self.places.find(self.edition, target)
        except KeyError as error:
            raise self.error(error.args[0]) from None

    def links(self, targets):
        """Return cross-references to targets, with the edition's separator between them."""
        result = []
        for place in self.distinct(targets):
            result += [nodes.Text(self.labels["separator"])] if result else []
            result.append(self.link(place.slug, place.anchor, place.title))
        return result

    def distinct(self, targets):
        """Return the Places of targets; of several in one section only the first."""
        return list({place.title: place for place in reversed([self.place(target) for target in targets])}.values())[
            ::-1
        ]

    @cached_property
    def planned(self):
        """{slug: title} of the chapters that are not written yet."""
        return {slug: titles[self.edition] for slug, titles in self.read("planned_chapters").items()}

    def markdown(self, text):
        """Return the nodes of a Markdown text, as if it stood in the page."""
        parent = nodes.Element()
        self.state.nested_parse(
            StringList(text.splitlines(), source=self.env.doc2path(self.env.docname)), self.content_offset, parent
        )
        return parent.children


class EntriesDirective(FromData):
    """A definition list with one addressable entry for each key of a YAML file."""

    source = ""

    def content_nodes(self):
        entries = nodes.definition_list(classes=["book-entries"])
        for key, entry in self.chosen(self.read(self.source)):
            anchor = key.lower()
            classes = self.classes(entry)
            term = nodes.term("", "", *self.term(key, entry), ids=[anchor], classes=classes)
            definition = nodes.definition("", *self.definition(key, entry), classes=classes)
            entries += nodes.definition_list_item("", term, definition)
            known = self.env.book_anchors.setdefault(self.env.docname, {})
            known[anchor] = key
        return [entries]

    def chosen(self, entries):
        return sorted(entries.items())

    def classes(self, entry):
        return []


class Glossary(EntriesDirective):
    """The glossary: the edition's term, the other language's term, one line of meaning, the chapter it comes from."""

    source = "glossary"

    def chosen(self, entries):
        return sorted(entries.items(), key=lambda item: item[1]["en"].lower())

    def term(self, key, entry):
        other = "zh" if self.edition == "en" else "en"
        return [nodes.strong("", entry[self.edition]), nodes.inline("", f" {entry[other]}", classes=["other-language"])]

    def definition(self, key, entry):
        place = self.place(entry["introduced"])
        text = nodes.paragraph("", entry[f"meaning_{self.edition}"] + " ")
        text += nodes.inline(
            "",
            "",
            nodes.Text(f"({self.labels['introduced']} " if self.edition == "en" else f"（{self.labels['introduced']}"),
            self.link(place.slug, "", place.title),
            nodes.Text(")" if self.edition == "en" else "）"),
            classes=["introduced"],
        )
        return [text]


class Corrections(EntriesDirective):
    """The register: number, kind of fault, where; what the article says; what is right, sources and the cell.

    The argument, A0 to A4, chooses the entries whose claim stands in that article first of all.
    """

    source = "corrections"

    def chosen(self, entries):
        return [
            (key, entry)
            for key, entry in sorted(entries.items())
            if not self.arguments or articles(entry)[0] == self.arguments[0]
        ]

    def classes(self, entry):
        return [f"kind-{kind_of_fault(entry)}", *(f"article-{article.lower()}" for article in articles(entry))]

    def term(self, key, entry):
        kind = kind_of_fault(entry)
        return [
            nodes.strong("", key),
            nodes.inline("", f" {self.labels[kind]}", classes=["fault", f"fault-{kind}"]),
            nodes.inline("", f" {entry['where']}", classes=["other-language"]),
        ]

    def definition(self, key, entry):
        claim = nodes.paragraph(
            "", "", nodes.strong("", self.labels["says"]), nodes.Text(entry[f"claim_{self.edition}"])
        )
        if f"withdrawn_{self.edition}" in entry:
            return [
                claim,
                nodes.paragraph(
                    "", "", nodes.strong("", self.labels["why"]), nodes.Text(entry[f"withdrawn_{self.edition}"])
                ),
            ]
        right = nodes.paragraph(
            "", "", nodes.strong("", self.labels["right"]), nodes.Text(entry[f"right_{self.edition}"])
        )
        origin = nodes.paragraph("", "", classes=["origin"])
        if "was" in entry:
            origin += nodes.Text(self.labels["was"].format(self.labels[MARKS[entry["was"]]]))
        for key in entry.get("sources") or []:
            origin += [
                self.link("bibliography", key, self.env.config.book_citations.get(key, key)),
                nodes.Text(self.labels["separator"]),
            ]
        if not entry.get("sources"):
            origin += nodes.Text(
                self.labels["own" if self.place(entry["shown"]).by_code else "text"] + self.labels["separator"]
            )
        if "shown" in entry:
            place = self.place(entry["shown"])
            origin += [nodes.Text(self.labels["shown" if place.by_code else "told"]), *self.links([entry["shown"]])]
        else:
            origin += nodes.Text(self.labels["planned"] + self.planned[entry["planned"]])
        return [claim, right, origin]


def articles(entry):
    """Return the articles that a correction names, in the order in which its `where` names them."""
    return sorted((article for article in ARTICLES if article in entry["where"]), key=entry["where"].index)


def kind_of_fault(entry):
    """Return the kind of a correction as the style sheet and the labels name it."""
    return "withdrawn" if "withdrawn_en" in entry else MARKS[entry["mark"]]


class CorrectionCounts(FromData):
    """One sentence: how many entries of each kind, how many were withdrawn or marked otherwise."""

    def content_nodes(self):
        entries = self.read("corrections").values()
        kinds = Counter(map(kind_of_fault, entries))
        counts = {kind: kinds[kind] for kind in (*MARKS.values(), "withdrawn")}
        return self.markdown(
            self.labels["register"].format(
                total=sum(kinds.values()), marked=sum("was" in entry for entry in entries), **counts
            )
        )


class Questions(EntriesDirective):
    """Questions and answers; the argument chooses a theme."""

    source = "faq"

    def chosen(self, entries):
        return [
            (key, entry) for key, entry in entries.items() if not self.arguments or entry["theme"] == self.arguments[0]
        ]

    def term(self, key, entry):
        return [nodes.strong("", entry[f"question_{self.edition}"])]

    def definition(self, key, entry):
        origin = nodes.paragraph(
            "",
            "",
            nodes.Text(self.labels["asked"] + ", ".join(entry["asked"]) + self.labels["proof"]),
            *self.links(entry["proof"]),
            classes=["origin"],
        )
        return [*self.markdown(entry[f"answer_{self.edition}"]), origin]


class TableDirective(FromData):
    """A table that is written as Markdown, so that MyST makes and checks it."""

    def table(self, heads, rows):
        lines = [heads, ["---"] * len(heads), *rows]
        text = "\n".join(f"| {' | '.join(str(value) for value in line)} |" for line in lines)
        return [nodes.container("", *self.markdown(text), classes=["data-table", type(self).__name__.lower()])]

    def markdown_links(self, targets):
        return self.labels["separator"].join(
            f"[{place.title}]({self.file(place.slug)}{'#' if place.anchor else ''}{place.anchor})"
            for place in self.distinct(targets)
        )

    def file(self, slug):
        return f"{slug}.md" if isinstance(self.places.pages[self.edition][slug], str) else f"{slug}.ipynb"


class Notation(TableDirective):
    """The symbols and names of one group (the argument): data, network, training, judging, size."""

    def content_nodes(self):
        rows = [
            [
                entry["symbol"],
                f"`{entry['code']}`",
                entry.get(f"shape_{self.edition}", entry["shape"]),
                entry[self.edition],
            ]
            for entry in self.read("notation").values()
            if entry["group"] == self.arguments[0]
        ]
        return self.table(self.labels["notation"], rows)


class Coverage(TableDirective):
    """The items of one article (the argument) and where the book treats them; without an argument, the counts."""

    def content_nodes(self):
        items = self.read("coverage")
        if not self.arguments:
            counts = Counter((("covered" in item), ("planned" in item)) for item in items.values())
            return self.markdown(
                self.labels["covered"].format(
                    total=len(items),
                    covered=counts[True, False],
                    partly=counts[True, True],
                    planned=counts[False, True],
                )
            )
        rows = []
        for number, item in items.items():
            if number.startswith(self.arguments[0]):
                where = [self.markdown_links(item["covered"])] if "covered" in item else []
                where += [self.labels["planned"] + self.planned[item["planned"]]] if "planned" in item else []
                section, kind = item["section"], item["kind"]
                if self.edition == "zh":
                    section, kind = SECTIONS_CHINESE.get(section, section), KINDS_CHINESE[kind]
                rows.append(
                    [
                        number,
                        section,
                        kind,
                        item[f"item_{self.edition}"].replace("|", "\\|"),
                        self.labels["separator"].join(where),
                    ]
                )
        return self.table(self.labels["coverage"], rows)


class Status(TableDirective):
    """What each chapter costs and holds, read from the committed notebooks in the order of the table of contents."""

    def content_nodes(self):
        order = [slug for slug in self.config.book_order if not isinstance(self.places.pages["en"][slug], str)]
        facts = {slug: chapter_facts(self.places.pages["en"][slug]) for slug in order}
        rows = [
            [
                f"[{self.places.titles[self.edition][slug]}]({slug}.ipynb)",
                f"{fact.seconds}\N{NO-BREAK SPACE}s",
                f"{fact.megabytes:,}\N{NO-BREAK SPACE}MB",
                "<br>".join(map(self.data_line, fact.data)) or self.labels["no data"],
                fact.code_cells,
                fact.checks,
                fact.exercises,
                fact.questions,
            ]
            for slug, fact in facts.items()
        ]
        sums = {
            name: sum(getattr(fact, name) for fact in facts.values()) for name in ("seconds", "checks", "exercises")
        }
        total = self.labels["run"].format(
            chapters=len(facts), minutes=sums["seconds"] / 60, cores=max(fact.cores for fact in facts.values()), **sums
        )
        return [*self.table(self.labels["status"], rows), *self.markdown(total)]

    def data_line(self, line):
        """Return what a loader printed, in the edition's language."""
        try:
            return line if self.edition == "en" else chinese_data_line(line)
        except KeyError as error:
            raise self.error(
                f"DATA_CHINESE in {Path(__file__).name} has no Chinese for {error.args[0]!r} of the data line {line!r}"
            ) from None


class CellAddresses(SphinxTransform):
    """Gives each code cell on a page the address `cell-<id>`, the same in both editions."""

    default_priority = 213

    def apply(self):
        slug, cells = self.env.docname.rpartition("/")[2], None
        for container in self.document.findall(nodes.container):
            if container.get("nb_element") == "cell_code":
                cells = cells or self.env.app.book_places.pages[edition_of(self.config, self.env.docname)][slug]
                name = cells[container["cell_index"]]["id"]
                container["ids"].append(f"cell-{name}")
                self.env.book_anchors.setdefault(self.env.docname, {})[f"cell-{name}"] = name


def citation_names(bibliography):
    """Return {key: "Family et al. (year)"} for the entries of a BibTeX file."""
    from pybtex.database import parse_file

    names = {}
    for key, entry in parse_file(bibliography).entries.items():
        people = [
            " ".join(person.last_names) or str(person)
            for person in entry.persons.get("author", []) or entry.persons.get("editor", [])
        ]
        people = [name.strip("{}") for name in people] or [entry.fields.get("key", entry.fields["title"]).strip("{}")]
        who = (
            people[0]
            if len(people) == 1
            else f"{people[0]} & {people[1]}"
            if len(people) == 2
            else f"{people[0]} et al."
        )
        names[key] = f"{who} ({entry.fields['year']})"
    return names


def prepare(app):
    """Read what the pages need once for the whole build."""
    folder = Path(app.srcdir, app.config.book_data)
    app.config.book_citations = citation_names(folder / "references.bib")
    app.book_places = Places(folder)
    contents = yaml.safe_load((folder.resolve().parent / "_toc.yml").read_text("utf8"))
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    app.config.book_order = [file.removeprefix("book/en/") for file in files if file.startswith("book/en/")]
    if not hasattr(app.env, "book_anchors"):
        app.env.book_anchors = {}


def publish_anchors(app, env):
    """Tell MyST the addresses of the entries, so that links to them are checked as links to headings are."""
    for docname, anchors in env.book_anchors.items():
        slugs = env.metadata[docname].setdefault("myst_slugs", {})
        slugs.update({anchor: (0, anchor, text) for anchor, text in anchors.items()})
    for docname in env.found_docs:
        if docname.rpartition("/")[2] == "bibliography":
            slugs = env.metadata[docname].setdefault("myst_slugs", {})
            slugs.update({key: (0, key, name) for key, name in app.config.book_citations.items()})


def add_filter(app, pagename, templatename, context, doctree):
    """Load the register's filter on its page alone."""
    if pagename.rpartition("/")[2] == "corrections":
        app.add_js_file("register.js")


def setup(app):
    app.add_config_value("book_data", "..", "env")
    app.add_config_value("book_edition", "", "env")
    app.add_config_value("book_citations", {}, "")
    app.add_config_value("book_order", [], "")
    app.add_directive("glossary-entries", Glossary)
    app.add_directive("correction-entries", Corrections)
    app.add_directive("correction-counts", CorrectionCounts)
    app.add_directive("question-entries", Questions)
    app.add_directive("notation-table", Notation)
    app.add_directive("coverage-table", Coverage)
    app.add_directive("status-table", Status)
    app.add_transform(CellAddresses)
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", add_filter)
    app.connect("env-check-consistency", publish_anchors)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
