"""Places in the book, named once for both editions.

The book's data files point to places by targets: `backprop#factor-check` is the cell with that id in the chapter
`backprop`, `faq#what-is-a-large-model` an entry of a page that is made from data, `resources` a whole page.
On the site a code cell has the address `#cell-<id>`; a Markdown cell is reached by the heading above it.
"""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from myst_parser.mdit_to_docutils.base import default_slugify

FENCED = re.compile(r"^```.*?^```", re.S | re.M)
HEADING = re.compile(r"^(#{1,4}) +(.+?)\s*$", re.M)


class Place(NamedTuple):
    """Where a target lies in one edition: page, address within it ("" for the page itself), and how to name it."""

    slug: str
    anchor: str
    title: str
    by_code: bool


def source_of(cell):
    """Return a notebook cell's text: the file format stores it as one string or as lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


class Places:
    """The pages of both editions, read once.

    `pages` is {edition: {slug: list of cells as stored, or the text of a Markdown page}}.
    """

    def __init__(self, book_folder):
        self.folder = Path(book_folder)

    @cached_property
    def pages(self):
        found = {}
        for edition in ("en", "zh"):
            found[edition] = {}
            for path in sorted((self.folder / edition).iterdir()):
                if path.suffix == ".ipynb":
                    found[edition][path.stem] = json.loads(path.read_text("utf8"))["cells"]
                elif path.suffix == ".md":
                    found[edition][path.stem] = path.read_text("utf8")
        return found

    @cached_property
    def titles(self):
        """{edition: {slug: text of the page's first heading}}"""
        return {
            edition: {
                slug: HEADING.search(page if isinstance(page, str) else source_of(page[0]))[2]
                for slug, page in pages.items()
            }
            for edition, pages in self.pages.items()
        }

    def find(self, edition, target):
        """Return the Place of a target in an edition.

        Raises KeyError for a page or a cell that does not exist. Entries of pages made from data are not looked up
        here: MyST checks their addresses when it builds the site.
        """
        slug, _, name = target.partition("#")
        if slug not in self.pages[edition]:
            raise KeyError(f"{target}: there is no page '{slug}' in the edition {edition}")
        page, title = self.pages[edition][slug], self.titles[edition][slug]
        if not name or isinstance(page, str):
            return Place(slug, name, title, False)
        heading = None
        for cell in page:
            headings = HEADING.findall(FENCED.sub("", source_of(cell))) if cell["cell_type"] == "markdown" else []
            if cell["id"] == name:
                first = next((text for level, text in headings if len(level) > 1), None)
                heading = first or heading
                anchor = f"cell-{name}" if cell["cell_type"] == "code" else default_slugify(heading) if heading else ""
                section = re.sub(r"[`*]", "", heading) if heading else ""
                return Place(
                    slug,
                    anchor,
                    f"{title}{': ' if edition == 'en' else '：'}{section}" if section else title,
                    cell["cell_type"] == "code",
                )
            heading = next((text for level, text in reversed(headings) if len(level) > 1), heading)
        raise KeyError(f"{target}: the chapter has no cell of this id")
