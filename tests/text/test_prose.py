"""What the prose says must hold: figures, citations, terms, corrections, captions, Chinese typography."""

import random
import re

import pytest
import yaml
from markdown_it import MarkdownIt
from pybtex.database import parse_file

from bookkit import BOOK
from bookkit.editions import chapters, pages, read_notebook
from bookkit.sphinx.plain_markdown import BOXES

CHAPTERS = chapters()

CITATION = re.compile(r"\]\(bibliography\.md#([\w-]+)\)")
TERM = re.compile(r"\[([^\]]+)\]\(glossary\.md#([\w-]+)\)")
CORRECTION = re.compile(r"\]\(corrections\.md#(c\d{3})\)")
# What is not prose: code, mathematics, link targets, HTML tags, numbers of corrections and articles, file names.
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]+>|\b[AC]\d+(\.\d+)*\b|\barXiv:\S+|CC BY 4\.0", re.S
)
# A figure: a decimal, a percentage, or a whole number of three or more digits. Version numbers have two points. (ASCII:
# otherwise a Chinese character beside a number would count as a letter of one word with it.)
FIGURE = re.compile(
    r"(?<![\w.\-])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d{3,}|\d+(?=\s?(?:%|％)))(?!\w|\.\d|,\d{3})", re.ASCII
)
# Numbers of sections and the like, one or several; figures with a unit that the two languages count differently.
PLACES = r"\d+(?:\.\d+)*(?:\s?(?:,|、|and|to|or|和|至|到|与|–)\s?\d+(?:\.\d+)*)*"
SECTION = re.compile(
    rf"(?:sections?|sec\.|chapters?|ch\.|eq\.|equations?|tables?|algorithms?|Python|第|算法|表|式)\s*{PLACES}|{PLACES}\s?[节章]",
    re.I,
)
LARGE_UNIT = re.compile(r"\d[\d,.]*\s?(?:万|亿|千|百|million|billion|trillion|thousand|hundred)")
# 68万 is 680,000 and 1.2万 is 12,000: the Chinese edition may write a large whole number in units of ten thousand.
TEN_THOUSANDS = re.compile(r"(?<![\d.,])(\d+(?:\.\d{1,4})?)万(?!亿)")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[*`(])|(?<=[。！？])")
PREDICT = re.compile(r"> \*\*(?:Predict|先预测)")
FENCED = re.compile(r"^```.*?^```", re.S | re.M)
# The name of a method or of a convention, no result.
CONVENTION = re.compile(
    r"95\s?% (?:\[?confidence )?(?:interval|limit)|95%的?\[?(?:置信)?区间|(?:divi\w+ by|factor|除以)\s?255|256 (?:grey )?levels|256个?级"
)
CHANCE = 0.1  # with which a random number of the same form may pass for a figure
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
GLOSSARY = yaml.safe_load((BOOK / "glossary.yml").read_text("utf8"))
CORRECTIONS = yaml.safe_load((BOOK / "corrections.yml").read_text("utf8"))
BIBLIOGRAPHY = parse_file(BOOK / "references.bib").entries
PAGES = [pytest.param(*page, id=f"{page[0]}/{page[1]}") for page in pages()]
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


def numbers_in(text):
    """Return the numbers that stand in a text, as floats."""
    return {float(number.replace(",", "")) for number in NUMBER.findall(text)}


def supported(figure, percent, known):
    """Tell whether a figure of the prose is one of the known numbers, rounded to the figure's own digits."""
    value = float(figure.replace(",", ""))
    digits = len(figure.partition(".")[2])
    candidates = known | {number * 100 for number in known} if percent else known
    return any(abs(round(number, digits) - value) < 10 ** -(digits + 3) for number in candidates)


def sections_of(cells):
    """Return a notebook's cells as sections: a heading of any level begins one. The first, the opening, ends with the set-up cell."""
    sections, opening = [[]], True
    for cell in cells:
        if not opening and cell.cell_type == "markdown" and re.search(r"(?m)^#{1,4} ", FENCED.sub("", cell.source)):
            sections.append([])
        sections[-1].append(cell)
        opening = opening and cell.cell_type == "markdown"
    return sections


def evidence_in(cells):
    """Return the numbers that code cells hold or show."""
    texts = []
    for cell in cells:
        if cell.cell_type == "code":
            texts += [cell.source, *(output.get("text", "") for output in cell.outputs)]
            texts += [
                str(value)
                for output in cell.outputs
                for kind, value in output.get("data", {}).items()
                if kind.startswith("text/")
            ]
    return numbers_in("\n".join(texts))


def in_full(number):
    """Return a number of ten thousands with all its digits: 1.2 is 12000."""
    return f"{round(float(number) * 10_000)}"


def figures_without_citation(text):
    """Yield (figure, whether it is a percentage, its sentence) for the figures of a Markdown text whose own sentence cites nothing.

    A row of a table counts as a sentence. The answers that a Predict box offers are no statements.
    """
    for block in re.split(r"\n\s*\n|\n(?=\|)", text):
        if PREDICT.match(block):
            continue
        for sentence in SENTENCE.split(block):
            if CITATION.search(sentence):
                continue
            sentence = TEN_THOUSANDS.sub(lambda found: in_full(found[1]) if "." in found[1] else found[0], sentence)
            prose = YEAR.sub(" ", SECTION.sub(" ", NOT_PROSE.sub(" ", CONVENTION.sub(" ", sentence))))
            for match in FIGURE.finditer(prose):
                yield match.group(), prose[match.end() : match.end() + 2].strip()[:1] in ("%", "％"), sentence.strip()


def statements_of(cells, texts):
    """Yield (figure, percent, sentence, numbers known in its section) of a page; a Markdown page has no numbers of its own.

    The opening and the self-check speak of the whole chapter, and are held against all of it.
    """
    if not cells:
        for text in texts:
            yield from ((*figure, set()) for figure in figures_without_citation(text))
        return
    for number, section in enumerate(sections_of(cells)):
        known = evidence_in(cells if number == 0 or section[0].id == "self-check" else section)
        for cell in section:
            if cell.cell_type == "markdown":
                yield from ((*figure, known) for figure in figures_without_citation(cell.source))


def chance(figure, percent, known, generator):
    """Return how often a random number of a figure's form (digits, decimals, percentage) would be among the known ones."""
    whole, _, decimals = figure.replace(",", "").partition(".")
    low = 0 if len(whole) == 1 else 10 ** (len(whole) - 1)
    drawn = [
        f"{generator.randrange(low, 10 ** len(whole))}"
        + (f".{generator.randrange(10 ** len(decimals)):0{len(decimals)}}" if decimals else "")
        for _ in range(100)
    ]
    return sum(supported(number, percent, known) for number in drawn) / len(drawn)


@pytest.mark.parametrize("edition, slug, texts, cells", PAGES)
def test_figures_in_prose_are_computed_or_cited(edition, slug, texts, cells):
    """A figure stands in the code or an output of its own section, or its own sentence carries a citation."""
    unsupported = [
        f"{figure} in: {sentence[:90]!r}"
        for figure, percent, sentence, known in statements_of(cells, texts)
        if not supported(figure, percent, known)
    ]
    assert not unsupported, "figures that no output of their section shows and no citation supports:\n" + "\n".join(
        unsupported
    )


def test_a_wrong_figure_would_rarely_pass():
    """How often a random number in a figure's place would be found in its section: the test above must be able to fail."""
    generator, chances = random.Random(0), {}
    for edition, slug, texts, cells in pages():
        found = [chance(figure, percent, known, generator) for figure, percent, _, known in statements_of(cells, texts)]
        if edition == "en" and found:
            chances[slug] = found
    for slug, found in chances.items():
        print(f"{slug:20} {len(found):3} figures; a random one passes {sum(found) / len(found):.1%}")
    everything = [value for found in chances.values() for value in found]
    print(f"{'the book':20} {len(everything):3} figures; a random one passes {sum(everything) / len(everything):.1%}")
    assert sum(everything) / len(everything) < CHANCE


def figures_in(text):
    """Return the figures of a Markdown text, each once, without those that the languages write with other units."""
    prose = SECTION.sub(" ", NOT_PROSE.sub(" ", LARGE_UNIT.sub(" ", text)))
    return {match.group().replace(",", "") for match in FIGURE.finditer(prose)}


def same_figures(english, chinese):
    """Return whether two texts name the same figures, of which the Chinese one may write some in units of ten thousand."""
    named, theirs = figures_in(english), figures_in(chinese)
    return theirs <= named <= theirs | {in_full(number) for number in TEN_THOUSANDS.findall(chinese)}


@pytest.mark.parametrize("slug", CHAPTERS)
def test_both_editions_name_the_same_figures(slug):
    """A figure that is cited cannot be compared with an output, but it must be the same in both languages."""
    for one, other in zip(read_notebook("en", slug).cells, read_notebook("zh", slug).cells):
        if one.cell_type == "markdown":
            assert same_figures(one.source, other.source), f"{one.id}: the editions name different figures"


def test_another_figure_in_one_edition_would_be_found():
    assert same_figures("It took 680,000 hours and 12.5 days.", "用了68万小时零12.5天。")
    assert not same_figures("It took 680,000 hours and 12.5 days.", "用了67万小时零12.5天。")
    assert not same_figures("It took 680,000 hours and 12.5 days.", "用了68万小时零13.5天。")


def test_citations_exist_and_all_entries_are_cited():
    cited = {key for _, _, texts, _ in pages() for text in texts for key in CITATION.findall(text)}
    cited |= {key for entry in CORRECTIONS.values() for key in entry.get("sources") or []}
    assert cited == set(BIBLIOGRAPHY), f"unknown: {cited - set(BIBLIOGRAPHY)}, uncited: {set(BIBLIOGRAPHY) - cited}"


@pytest.mark.parametrize("key", sorted(BIBLIOGRAPHY))
def test_bibliography_entries_can_be_found(key):
    """Each entry has authors, title, year, and an address or a publisher by which a reader can find it."""
    entry = BIBLIOGRAPHY[key]
    assert {"title", "year"} <= set(entry.fields) and (
        entry.persons or "key" in entry.fields or "organization" in entry.fields
    )
    assert {"doi", "eprint", "url", "publisher", "isbn", "journal", "booktitle"} & set(entry.fields)
    assert YEAR.fullmatch(entry.fields["year"])


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_citations_are_the_same_in_both_editions(edition):
    for slug in CHAPTERS:
        for one, other in zip(read_notebook("en", slug).cells, read_notebook("zh", slug).cells):
            assert sorted(CITATION.findall(one.source)) == sorted(CITATION.findall(other.source)), f"{slug}: {one.id}"
            assert sorted(CORRECTION.findall(one.source)) == sorted(CORRECTION.findall(other.source)), (
                f"{slug}: {one.id}"
            )


@pytest.mark.parametrize("edition, slug, texts, cells", PAGES)
def test_terms_are_the_glossary_s(edition, slug, texts, cells):
    for text in texts:
        for words, key in TERM.findall(text):
            assert key in GLOSSARY, f"no term {key} in glossary.yml"
            term = GLOSSARY[key][edition].lower()
            assert words.lower() in (term, f"{term}s", f"{term}es", re.sub("y$", "ies", term)), (
                f"'{words}' links to the term '{term}'"
            )


def test_terms_are_introduced_where_the_glossary_says():
    """Each term is linked in the chapter that introduces it, with the other language's term beside it."""
    texts = {(edition, slug): "\n".join(parts) for edition, slug, parts, _ in pages()}
    for key, entry in GLOSSARY.items():
        for edition, other, brackets in (("en", "zh", "()"), ("zh", "en", "（）")):
            if entry["en"] == entry["zh"]:
                continue
            text = texts[edition, entry["introduced"]]
            pattern = rf"\]\(glossary\.md#{key}\)\s?{re.escape(brackets[0])}{re.escape(entry[other])}"
            assert re.search(pattern, text, re.I), (
                f"{edition}/{entry['introduced']} does not introduce {key} with its {other} term"
            )
        assert all(entry[f"meaning_{edition}"].strip() for edition in ("en", "zh"))


@pytest.mark.parametrize("slug", CHAPTERS)
def test_terms_are_translated_as_the_glossary_says(slug):
    """Where the English text uses a term of the glossary, the same cell in Chinese uses the glossary's word for it."""
    for one, other in zip(read_notebook("en", slug).cells, read_notebook("zh", slug).cells):
        if one.cell_type != "markdown":
            continue
        english, chinese = (NOT_PROSE.sub(" ", cell.source).lower() for cell in (one, other))
        for term in GLOSSARY.values():
            if term["en"] != term["zh"] and re.search(
                rf"(?<![\w-]){re.escape(term['en'].lower())}(?:s|es)?(?![\w-])", english
            ):
                words = [term["zh"], *term.get("also_zh", []), term["en"]]
                assert any(word.lower() in chinese for word in words), (
                    f"{one.id}: '{term['en']}' is not {' or '.join(words[:-1])} in Chinese"
                )


def test_no_two_terms_share_a_name():
    for edition in ("en", "zh"):
        names = [entry[edition].lower() for entry in GLOSSARY.values()]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_corrections_and_chapters_agree():
    """Every correction that a page names is in the register; every entry is named by the page it points to, if it is not planned."""
    named = {}
    for edition, slug, texts, _ in pages():
        for text in texts:
            for number in CORRECTION.findall(text):
                named.setdefault((edition, number.upper()), set()).add(slug)
    assert {number for _, number in named} <= set(CORRECTIONS)
    for number, entry in CORRECTIONS.items():
        assert entry["mark"] in ("ERROR", "IMPRECISE", "OUTDATED", "UNSOURCED")
        for edition in ("en", "zh"):
            if "shown" in entry:
                slug = entry["shown"].partition("#")[0]
                assert slug in named.get((edition, number), ()), (
                    f"{number} points to {edition}/{slug}, which does not name it"
                )
            assert entry[f"claim_{edition}"].strip() and entry[f"right_{edition}"].strip()


@pytest.mark.parametrize("slug", CHAPTERS)
@pytest.mark.parametrize("edition", ["en", "zh"])
def test_figures_have_alternative_text_and_caption(edition, slug):
    cells = read_notebook(edition, slug).cells
    for cell, following in zip(cells, [*cells[1:], None]):
        if cell.cell_type == "code" and any("image/png" in output.get("data", {}) for output in cell.outputs):
            text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(text) >= 15, f"{cell.id} has no alternative text that says what it shows"
            assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (edition == "zh"), (
                f"{cell.id}: alternative text in the wrong language"
            )
            if "solution" not in cell.metadata.get("tags", []):
                start = "*Figure:" if edition == "en" else "*图："
                assert following is not None and following.source.startswith(start), (
                    f"{cell.id} has no caption below it"
                )


CHINESE_FAULTS = {
    "a space between Chinese and Latin": r"[\u4e00-\u9fff，。；：、）] +[A-Za-z0-9`$\[]|[A-Za-z0-9`$\])] +[\u4e00-\u9fff（，。；：]",
    "half-width punctuation": r"[\u4e00-\u9fff][,;:?!](?!\d)",
    "a line break that shows as a space": r"[\u4e00-\u9fff，。；：、”）]\n[\u4e00-\u9fff“（《]",
}


@pytest.mark.parametrize("edition, slug, texts, cells", [page for page in PAGES if page.values[0] == "zh"])
def test_chinese_typography(edition, slug, texts, cells):
    for text in texts:
        prose = re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.S)
        for fault, pattern in CHINESE_FAULTS.items():
            found = re.search(pattern, prose)
            assert not found, f"{fault}: {prose[max(0, found.start() - 20) : found.end() + 20]!r}"


@pytest.mark.parametrize("edition, slug, texts, cells", PAGES)
def test_emphasis_renders(edition, slug, texts, cells):
    """No asterisk is left over: CommonMark opens no bold between a Chinese character and punctuation."""
    for text in texts:
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.S)
        rendered = MarkdownIt().enable("table").render(prose)
        assert "**" not in rendered and not re.search(r"\*[^\s*][^*]*\*", rendered), re.search(
            r".{0,40}\*.{0,40}", rendered
        ).group()


@pytest.mark.parametrize("edition, slug, texts, cells", PAGES)
def test_boxes_have_a_known_title(edition, slug, texts, cells):
    for text in texts:
        for title in re.findall(r"(?m)^> \*\*([^*]+)\*\*", text):
            name = title.strip(" .:。：").lower()
            assert name in BOXES and bool(re.search(r"[\u4e00-\u9fff]", name)) == (edition == "zh"), (
                f"unknown box '{title}'"
            )
