"""The two editions: their languages, their chapters and pages, and how to tell which edition a page belongs to."""

from bookkit import BOOK

LANGUAGES = ("en", "zh")
LANGUAGE_TAGS = {"en": "en", "zh": "zh-CN"}  # BCP 47, for `lang` and `hreflang`


def edition_of(config, docname):
    """Return "en" or "zh" for a page: from the build's own edition, or, in a bare build of both, from its path."""
    if config.book_edition:
        return config.book_edition
    return "zh" if docname.startswith("book/zh/") else "en"


def chapters(book=BOOK):
    """Return the slugs of all notebooks of the book, sorted."""
    return sorted(path.stem for path in (book / "en").glob("*.ipynb"))


def is_article(slug):
    """Tell whether a notebook tests an article (part VII): these have neither exercises nor teaching notes."""
    return slug.startswith("article-")


def read_notebook(edition, slug, book=BOOK):
    """Return a chapter's notebook of one edition; FileNotFoundError says that both editions are written together."""
    import nbformat

    path = book / edition / f"{slug}.ipynb"
    if not path.exists():
        raise FileNotFoundError(f"book/{edition}/{slug}.ipynb is missing: both editions are written together")
    return nbformat.read(path, as_version=4)


def run_cells(slug, ids, names):
    """Run cells of an English chapter, by id and in this order, as plain Python in the namespace `names`.

    Of the cell `setup` only the imports are run: no seed, no style, nothing installed.
    """
    cells = {cell.id: cell.source for cell in read_notebook("en", slug).cells}
    for name in ids:
        source = cells[name]
        if name == "setup":
            source = "\n".join(line for line in source.splitlines() if line.startswith(("import", "from")))
        exec(compile(source, name, "exec"), names)


def pages(book=BOOK):
    """Yield (edition, slug, Markdown texts, all cells) for each page of both editions; a Markdown page is one text without cells."""
    for edition in LANGUAGES:
        for path in sorted((book / edition).iterdir()):
            if path.suffix == ".ipynb":
                cells = read_notebook(edition, path.stem, book).cells
                yield edition, path.stem, [cell.source for cell in cells if cell.cell_type == "markdown"], cells
            elif path.suffix == ".md":
                yield edition, path.stem, [path.read_text("utf8")], []
