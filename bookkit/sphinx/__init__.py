"""The book's Sphinx extension: plain Markdown made into boxes, pages made from data, two languages, the live demo."""

from bookkit.sphinx import bilingual, live_demo, plain_markdown, reference_pages


def setup(app):
    for part in (plain_markdown, reference_pages, bilingual, live_demo):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
