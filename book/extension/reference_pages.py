"""The pages made from one source for both editions: glossary, register of corrections, addresses of citations.

`glossary.md` and `corrections.md` hold one directive each; the entries come from `glossary.yml` and
`corrections.yml`. Chapters link to an entry as to a heading (`glossary.md#gradient`, `corrections.md#c022`,
`bibliography.md#kingma2015adam`), which MyST checks while it builds.
"""
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from editions import edition_of

LABELS = {
    "en": {"wrong": "wrong", "imprecise": "imprecise", "outdated": "outdated", "unsourced": "unsourced",
           "says": "Says: ", "right": "Right: ", "shown": "Shown in the chapter", "own": "run in the chapter",
           "introduced": "first in", "separator": "; ", "stop": "."},
    "zh": {"wrong": "错误", "imprecise": "不严谨", "outdated": "过时", "unsourced": "无出处",
           "says": "原文：", "right": "更正：", "shown": "见正文演示", "own": "由正文运行得出",
           "introduced": "首见于", "separator": "；", "stop": "。"},
}


def read_entries(directive, name):
    """Return the mapping in `<book_data>/<name>.yml`; the page is rebuilt when that file changes."""
    path = Path(directive.env.srcdir, directive.config.book_data, f"{name}.yml").resolve()
    directive.env.note_dependency(str(path))
    return yaml.safe_load(path.read_text("utf8"))


def page_link(docname, anchor, text, edition_folder):
    """Return a cross-reference as MyST makes it for `[text](docname.ipynb#anchor)`, so that MyST checks it."""
    target = f"{edition_folder}{docname}"
    reference = addnodes.pending_xref("", nodes.inline("", text), refdomain="doc", reftype="myst", reftarget=target,
                                      reftargetid=anchor or None, refexplicit=True, refdoc="")
    return reference


class EntriesDirective(SphinxDirective):
    """A definition list with one addressable entry for each key of a YAML file."""
    has_content = False
    source = ""

    def run(self):
        self.edition = edition_of(self.config, self.env.docname)
        self.labels = LABELS[self.edition]
        self.folder = self.env.docname.rpartition("/")[0]
        self.folder += "/" if self.folder else ""
        entries = nodes.definition_list(classes=["book-entries"])
        for key, entry in self.sorted(read_entries(self, self.source)):
            anchor = key.lower()
            term = nodes.term("", "", *self.term(key, entry), ids=[anchor])
            definition = nodes.definition("", *self.definition(key, entry))
            entries += nodes.definition_list_item("", term, definition)
            known = self.env.book_anchors.setdefault(self.env.docname, {})
            known[anchor] = key
        for reference in entries.findall(addnodes.pending_xref):
            reference["refdoc"] = self.env.docname
        return [entries]

    def sorted(self, entries):
        return sorted(entries.items())


class Glossary(EntriesDirective):
    """The glossary: the edition's term, the other language's term, one line of meaning, the chapter it comes from."""
    source = "glossary"

    def sorted(self, entries):
        return sorted(entries.items(), key=lambda item: item[1]["en"].lower())

    def term(self, key, entry):
        other = "zh" if self.edition == "en" else "en"
        return [nodes.strong("", entry[self.edition]), nodes.inline("", f" {entry[other]}", classes=["other-language"])]

    def definition(self, key, entry):
        titles = self.env.config.book_titles[self.edition]
        if entry["introduced"] not in titles:
            raise self.error(f"glossary.yml: '{key}' is introduced in '{entry['introduced']}', which is no page of the book")
        link = page_link(entry["introduced"], "", titles[entry["introduced"]], self.folder)
        text = nodes.paragraph("", entry[f"meaning_{self.edition}"] + " ")
        text += nodes.inline("", "", nodes.Text(f"({self.labels['introduced']} " if self.edition == "en" else f"（{self.labels['introduced']}"),
                             link, nodes.Text(")" if self.edition == "en" else "）"), classes=["introduced"])
        return [text]


class Corrections(EntriesDirective):
    """The register: number, kind of fault, where; what the article says; what is right, sources and the cell."""
    source = "corrections"

    def term(self, key, entry):
        mark = {"ERROR": "wrong"}.get(entry["mark"], entry["mark"].lower())
        return [nodes.strong("", key), nodes.inline("", f" {self.labels[mark]}", classes=["fault", f"fault-{mark}"]),
                nodes.inline("", f" {entry['where']}", classes=["other-language"])]

    def definition(self, key, entry):
        claim = nodes.paragraph("", "", nodes.strong("", self.labels["says"]), nodes.Text(entry[f"claim_{self.edition}"]))
        right = nodes.paragraph("", "", nodes.strong("", self.labels["right"]), nodes.Text(entry[f"right_{self.edition}"]))
        origin = nodes.paragraph("", "", classes=["origin"])
        for key in entry.get("sources") or []:
            origin += [page_link("bibliography", key, self.env.config.book_citations.get(key, key), self.folder),
                       nodes.Text(self.labels["separator"])]
        if not entry.get("sources"):
            origin += nodes.Text(self.labels["own"] + self.labels["separator"])
        docname, _, anchor = entry[f"shown_{self.edition}"].partition("#")
        origin += page_link(docname.removesuffix(".ipynb"), anchor, self.labels["shown"], self.folder)
        return [claim, right, origin]


def citation_names(bibliography):
    """Return {key: "Family et al. (year)"} for the entries of a BibTeX file."""
    from pybtex.database import parse_file
    names = {}
    for key, entry in parse_file(bibliography).entries.items():
        people = [" ".join(person.last_names) or str(person) for person in entry.persons.get("author", [])
                  or entry.persons.get("editor", [])]
        people = [name.strip("{}") for name in people] or [entry.fields.get("key", entry.fields["title"]).strip("{}")]
        who = people[0] if len(people) == 1 else f"{people[0]} & {people[1]}" if len(people) == 2 else f"{people[0]} et al."
        names[key] = f"{who} ({entry.fields['year']})"
    return names


def chapter_titles(book_folder):
    """Return {edition: {slug: title}} from the first heading of each page."""
    import nbformat
    titles = {}
    for edition in ("en", "zh"):
        titles[edition] = {}
        for path in sorted(Path(book_folder, edition).iterdir()):
            if path.suffix == ".ipynb":
                text = nbformat.read(path, as_version=4).cells[0].source
            elif path.suffix == ".md":
                text = path.read_text("utf8")
            else:
                continue
            titles[edition][path.stem] = next(line for line in text.splitlines() if line.startswith("# "))[2:].strip()
    return titles


def prepare(app):
    """Read what the pages need once for the whole build."""
    folder = Path(app.srcdir, app.config.book_data)
    app.config.book_citations = citation_names(folder / "references.bib")
    app.config.book_titles = chapter_titles(folder)
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


def setup(app):
    app.add_config_value("book_data", "..", "env")
    app.add_config_value("book_edition", "", "env")
    app.add_config_value("book_citations", {}, "")
    app.add_config_value("book_titles", {}, "")
    app.add_directive("glossary-entries", Glossary)
    app.add_directive("correction-entries", Corrections)
    app.connect("builder-inited", prepare)
    app.connect("env-check-consistency", publish_anchors)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
