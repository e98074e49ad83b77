"""Turns plain Markdown into the book's boxes, captions and table frames.

The notebooks hold no directives, so that they read well in JupyterLab, in Colab and on GitHub. On the site,
`> **Tip.** text` becomes a box, and a paragraph in italics that begins `Figure:` or `图：` becomes a caption.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform

from bookkit.editions import edition_of

# The bold words that open a box, and the class that styles it.
BOXES = {
    "note": "note",
    "tip": "tip",
    "warning": "warning",
    "remember": "important",
    "predict": "predict",
    "a common mistake": "warning",
    "what the documents say": "documents",
    "说明": "note",
    "提示": "tip",
    "注意": "warning",
    "记住": "important",
    "先预测": "predict",
    "常见错误": "warning",
    "原文怎么说": "documents",
}
CAPTION_STARTS = ("Figure:", "图：")
FOLDS = {
    ("en", "solution"): ("Show the solution", "Hide the solution"),
    ("en", "code"): ("Show the code", "Hide the code"),
    ("zh", "solution"): ("展开解答", "收起解答"),
    ("zh", "code"): ("展开代码", "收起代码"),
}
END_OF_TITLE = " .:。："


class Boxes(SphinxTransform):
    """Replaces a block quote that opens with one of BOXES in bold by an admonition of that title."""

    default_priority = 210

    def apply(self):
        for quote in list(self.document.findall(nodes.block_quote)):
            if not quote.children or not isinstance(quote[0], nodes.paragraph):
                continue
            paragraph = quote[0]
            while paragraph.children and not paragraph[0].astext():  # MyST leaves empty Text nodes
                paragraph.pop(0)
            if not paragraph.children or not isinstance(paragraph[0], nodes.strong):
                continue
            title = paragraph[0].astext().strip(END_OF_TITLE)
            style = BOXES.get(title.lower())
            if style is None:
                continue
            paragraph.pop(0)
            if paragraph.children and isinstance(paragraph[0], nodes.Text):
                paragraph[0] = nodes.Text(paragraph[0].astext().lstrip(END_OF_TITLE))
            box = nodes.admonition("", nodes.title(title, title), classes=[style])
            box += [child for child in quote.children if child is not paragraph or paragraph.children]
            quote.replace_self(box)


class Captions(SphinxTransform):
    """Marks figure captions (an emphasised paragraph below a figure) so that the style sheet can set them."""

    default_priority = 211

    def apply(self):
        for paragraph in self.document.findall(nodes.paragraph):
            first = next((child for child in paragraph.children if child.astext()), None)
            if isinstance(first, nodes.emphasis) and first.astext().startswith(CAPTION_STARTS):
                paragraph["classes"].append("figure-caption")


class Folds(SphinxTransform):
    """Labels folded cells in the edition's language: a solution as a solution, anything else as code."""

    default_priority = 212

    def apply(self):
        edition = edition_of(self.config, self.env.docname)
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") == "cell_code" and cell.get("hide_mode"):
                kind = "solution" if "tag_solution" in cell["classes"] else "code"
                cell["prompt_show"], cell["prompt_hide"] = FOLDS[edition, kind]


def setup(app):
    app.add_transform(Folds)
    app.add_transform(Boxes)
    app.add_transform(Captions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
