"""The course files: what a class gets holds no answer, in any format; what a teacher gets holds all."""

import functools
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from browsing import FETCHED
from bs4 import BeautifulSoup

from bookkit import BOOK, ROOT, examined, proof
from bookkit import course as make_course
from bookkit.__main__ import main as command
from bookkit.editions import LANGUAGES, chapters, is_article, read_notebook
from bookkit.facts import exercises

NOTEBOOKS = chapters()
CHAPTERS = [slug for slug in NOTEBOOKS if not is_article(slug)]  # those with exercises, questions and teaching notes
WHOLE = (
    "backprop",
    "in-the-browser",
)  # of these all course files are looked at: long mathematics, large outputs; of the others those for the class

RIGHT, OPTION = (
    {"en": "Right.", "zh": "正确。"},
    re.compile(r"<details><summary>(.+?)</summary>\n\n(.*?)\n\n</details>", re.S),
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A function of a chapter that returns the folder of the course files, in which those of this chapter are: what a class
    gets, and of two chapters the teacher's files as well."""
    folder = tmp_path_factory.mktemp("course")
    make_course.copy_assets(folder / "assets")

    @functools.cache
    def written(slug):
        make_course.write_chapter(slug, folder, kinds=make_course.KINDS if slug in WHOLE else ("student", "slides"))
        return folder

    return written


@functools.cache
def shared_by_all():
    """Return the digest of what decides the course files beside the chapter: the code that writes them, and these tests."""
    sources = [*sorted((ROOT / "bookkit").rglob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))]
    settings = [ROOT / name for name in ("_config.yml", "_toc.yml", "constraints.txt")]
    return proof.digest(*(path.read_bytes() for path in sources + settings))


def made_from(slug):
    """Return all that decides the course files of a chapter."""
    own = [BOOK / edition / f"{slug}.ipynb" for edition in LANGUAGES]
    own += sorted(path for path in (BOOK / "chapters" / slug).rglob("*") if path.is_file())
    return shared_by_all(), *(path.read_bytes() for path in own)


# What gives an answer away, found in the chapter without the help of the code that takes it out.
FOLDED = re.compile(r"<details[^>]*>\s*<summary>(.*?)</summary>(.*?)</details>", re.S)
SENTENCE = re.compile(
    r"(?<=[.?!])\s+|[。？！；]|\n\s*\n|\$\$?[^$]+\$\$?|`[^`]+`|\[[^\]]*\]\([^)]*\)"
)  # ends, and what browsers show otherwise
LONG_ENOUGH = {"en": 20, "zh": 8}  # letters and digits of a piece of prose that are no coincidence
MARK = re.compile(r"(?:Right|Wrong)\.|正确。|错误。")


def bare(text):
    """Letters and digits alone: what stays of a text in every format."""
    return re.sub(r"[\W_]+", "", text)


def squeezed(text):
    """Code without white space, which pages may break."""
    return re.sub(r"\s+", "", text)


def answers_of(cells, edition):
    """Return ([(what, its words in pieces, whether it is code)], the rest: what the reading flow, tasks, stubs and checks say)."""
    exercises_title = {"en": "## Exercises", "zh": "## 练习"}[edition]
    answers, said, in_exercises, in_task, tasks = [], [], False, False, 0
    for cell in cells:
        if cell.cell_type == "code":
            in_task = False
            if "solution" in cell.metadata.get("tags", []):
                answers.append((f"solution {cell.id}", cell.source, True))
            else:
                said += [cell.source, *(output.get("text", "") for output in cell.outputs)]
            continue
        for _, text in FOLDED.findall(cell.source):
            answers.append((f"fold in {cell.id}", text, False))
        discussion, fenced = [], False
        for line in FOLDED.sub(lambda fold: fold[1], cell.source).splitlines():
            fenced ^= line.startswith("```")
            if line.startswith(("## ", "### ")) and not fenced:
                in_exercises = line.rstrip() == exercises_title or (in_exercises and line.startswith("### "))
                in_task = in_exercises and line.startswith("### ")
                tasks = tasks + in_task if in_exercises else 0
                said.append(line)
            elif in_exercises and tasks and not in_task:
                discussion.append(line)
            else:
                said.append(line)
        if any(discussion):
            answers.append((f"discussion in {cell.id}", "\n".join(discussion), False))
    said = "\n".join(said)
    known, known_code = bare(said), squeezed(said)
    found = []
    for what, text, is_code in answers:
        if is_code:
            lines = [line.strip() for line in text.splitlines()]
            pieces = [squeezed(line) for line in lines if len(line) >= 12 and squeezed(line) not in known_code]
        else:
            for parts in (SENTENCE.split(text), [text]):  # the whole, if every piece is short
                pieces = [bare(part) for part in parts]
                pieces = [piece for piece in pieces if len(piece) >= LONG_ENOUGH[edition] and piece not in known]
                if pieces:
                    break
        found.append((what, pieces, is_code))
    return found, said


class Words(HTMLParser):
    """All that a page says: text (of style sheets none), attributes, comments; `texts` are its pieces between tags."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.in_style = [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.in_style = tag == "style"
        self.texts += [value for _, value in attributes if value and not value.startswith("data:")]

    def handle_endtag(self, tag):
        self.in_style = False

    def handle_data(self, data):
        if not self.in_style:
            self.texts.append(data)

    handle_comment = handle_data


def strings_in(value):
    """All strings in the content of a JSON file, but for pictures."""
    if isinstance(value, str):
        return [] if value.startswith("data:") else [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for inner in values for text in strings_in(inner)]


def texts_of(path):
    """Return all texts in a course file, a notebook or a page."""
    content = path.read_text("utf8")
    if path.suffix == ".html":
        return Words(content).texts
    return [block for text in strings_in(json.loads(content)) for block in text.split("\n\n")]


def leaks(answers, texts):
    """Return what of the answers stands in the texts of a file."""
    whole = "".join(texts)
    prose, code = bare(re.sub(r"\]\([^)]*\)", "]", whole)), squeezed(whole)
    found = [
        f"{what}: {piece}"
        for what, pieces, is_code in answers
        for piece in pieces
        if piece in (code if is_code else prose)
    ]
    return found + [f"mark: {text.strip()[:60]}" for text in texts if MARK.match(text.strip())]


@pytest.mark.parametrize("edition", LANGUAGES)
@pytest.mark.parametrize("slug", CHAPTERS)
def test_files_for_the_class_give_nothing_away(course, slug, edition):
    """See examine_what_the_class_gets. Once, while nothing of the chapter changes."""
    with examined.once("course", f"{slug}-{edition}-nothing-given-away", *made_from(slug)):
        examine_what_the_class_gets(course(slug), slug, edition)


def examine_what_the_class_gets(folder, slug, edition):
    """No line of a solution, no word on one, no explanation of an option, and no mark: in no format, the slides' speaker notes included.

    What is not in a file cannot be shown or printed by a browser; test_slides_and_handouts_open_from_the_disk looks at that as well.
    """
    whole = read_notebook(edition, slug)
    answers, _ = answers_of(whole.cells, edition)
    assert all(pieces for what, pieces, _ in answers if what.startswith("fold")), (
        "an explanation that no search can find"
    )
    kinds = Counter(what.split()[0] for what, pieces, _ in answers if pieces)
    assert kinds["solution"] >= 4 and kinds["fold"] >= 10, kinds
    for path in (
        folder / edition / "student" / f"{slug}.ipynb",
        folder / edition / "student" / f"{slug}.html",
        folder / edition / "slides" / f"{slug}.html",
    ):
        texts = texts_of(path)
        assert leaks(answers, texts) == [], path
        assert "<details" not in path.read_text("utf8"), path
    student = nbformat.read(folder / edition / "student" / f"{slug}.ipynb", as_version=4)
    assert {cell.id: cell.source for cell in student.cells if re.fullmatch(r"ex\d+-solution", cell.id)} == {
        solution.id: stub for solution, _, stub in exercises(whole.cells)
    }
    assert [cell.id for cell in student.cells if re.fullmatch(r"ex\d+-check", cell.id)] == [
        cell.id for cell in whole.cells if re.fullmatch(r"ex\d+-check", cell.id)
    ]
    assert not any(cell.get("outputs") for cell in student.cells)
    assert {"en": "*Run All* stops", "zh": "“全部运行”会停在"}[edition] in student.cells[0].source
    assert not any(
        re.search(r"folded solution|Solutions are folded|折叠", cell.source)
        for cell in student.cells
        if cell.source.startswith(("## Exercises", "## 练习"))
    )


@pytest.mark.parametrize("edition", LANGUAGES)
@pytest.mark.parametrize("slug", CHAPTERS)
def test_questions_and_options_stay(course, slug, edition):
    text = next(cell.source for cell in read_notebook(edition, slug).cells if cell.id == "self-check")
    asked = re.findall(r"(?m)^\*\*(\d+\. .+)\*\*$", text) + [option for option, _ in FOLDED.findall(text)]
    with examined.once("course", f"{slug}-{edition}-questions", *made_from(slug)):
        folder = course(slug)
        for path in (
            folder / edition / "student" / f"{slug}.ipynb",
            folder / edition / "student" / f"{slug}.html",
            folder / edition / "slides" / f"{slug}.html",
        ):
            shown = bare("".join(texts_of(path)))
            assert [question for question in asked if bare(question) not in shown] == [], path


@pytest.mark.parametrize("edition", LANGUAGES)
def test_a_planted_answer_is_found(course, edition):
    """Each kind of answer, put whole into each kind of file, is named."""

    def planted(path, text):
        """What the file says with the answer in it: in a cell, metadata or an attachment of a notebook; in the text, a speaker note, an attribute or a comment of a page."""
        if path.suffix == ".ipynb":
            for change in (
                {"source": text},
                {"metadata": {"answer": text}},
                {"attachments": {"note.txt": {"text/plain": text}}},
            ):
                yield [block for inner in strings_in(change) for block in inner.split("\n\n")]
        else:
            quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
            for tag in (
                f"<p>{quoted}</p>",
                f'<aside class="notes"><p>{quoted}</p></aside>',
                f'<img alt="{quoted}">',
                f"<!--{text}-->",
                f"<details><summary>a</summary></details><p>{quoted}</p>",
                f"<script>{text}</script>",
            ):
                yield Words(tag).texts

    cells = read_notebook(edition, "choosing-scenarios").cells
    answers, _ = answers_of(cells, edition)
    for kind, text in {
        "solution": next(cell.source for cell in cells if cell.id == "ex3-solution"),
        "discussion": next(cell.source for cell in cells if cell.id == "ex3").split("\n\n")[0],
        "fold": FOLDED.findall(next(cell.source for cell in cells if cell.id == "self-check"))[0][1].strip(),
        "mark": {"en": "Right. Because.", "zh": "正确。理由如下。"}[edition],
    }.items():
        for path in (
            course("choosing-scenarios") / edition / "student" / "choosing-scenarios.ipynb",
            course("choosing-scenarios") / edition / "student" / "choosing-scenarios.html",
            course("choosing-scenarios") / edition / "slides" / "choosing-scenarios.html",
        ):
            clean = texts_of(path)
            assert leaks(answers, clean) == []
            for texts in planted(path, text):
                assert any(found.startswith(kind) for found in leaks(answers, clean + texts)), (kind, path)


@pytest.mark.parametrize("edition", LANGUAGES)
@pytest.mark.parametrize("slug", CHAPTERS)
def test_no_slide_shows_a_prediction_and_its_answer(slug, edition):
    """A request for a prediction is the last thing on its slide; only speaker notes may follow."""
    slides = []
    for cell in make_course.slide_notebook(read_notebook(edition, slug), edition).cells:
        kind = cell.metadata.slideshow.slide_type
        if kind in ("slide", "subslide"):
            slides.append([])
        if kind != "notes":
            slides[-1].append(cell.source if cell.cell_type == "markdown" else "code")
    asked = 0
    for slide in slides:
        for number, text in enumerate(slide):
            behind = re.split(r"(?m)^> \*\*(?:Predict|先预测)[^\n]*(?:\n>[^\n]*)*", text)[1:]
            asked += len(behind)
            assert not any(part.strip() for part in behind) and (not behind or number == len(slide) - 1), slide
    assert asked >= 5


def test_a_slide_ends_with_its_prediction():
    assert make_course.up_to_predictions("## Rates\n\n> **Predict.** Which one?\n\n- this one") == [
        "## Rates\n\n> **Predict.** Which one?",
        "- this one",
    ]
    assert make_course.up_to_predictions("> **先预测。** 哪一个？\n\n| 这一个 |") == [
        "> **先预测。** 哪一个？",
        "| 这一个 |",
    ]


@pytest.mark.parametrize("slug", CHAPTERS)
def test_drawings_are_inside_the_files(course, slug):
    with examined.once("course", f"{slug}-drawings", *made_from(slug)):
        folder = course(slug)
        for edition in LANGUAGES:
            drawings = sum(
                len(make_course.PICTURE.findall(cell.source))
                for cell in read_notebook(edition, slug).cells
                if cell.cell_type == "markdown"
            )
            student = nbformat.read(folder / edition / "student" / f"{slug}.ipynb", as_version=4)
            sources = [cell.source for cell in student.cells if cell.cell_type == "markdown"]
            assert (
                sum(len(re.findall(r"(?m)^\[[^\]]+\]: data:image/svg\+xml;base64,", source)) for source in sources)
                == drawings
            )
            assert not any("](../" in source for source in sources)
            for path in (folder / edition).glob(f"*/{slug}.html"):
                addresses = re.findall(r'<img[^>]* src="([^"]*)"', path.read_text("utf8"))
                assert sum(address.startswith("data:image/svg") for address in addresses) >= drawings and all(
                    address.startswith("data:") for address in addresses
                ), path
        assert not list(folder.rglob("figures"))


def test_teacher_edition_has_notes_and_solutions(course):
    for edition, word in (("en", "Board plan"), ("zh", "板书")):
        teacher = nbformat.read(course("backprop") / edition / "teacher" / "backprop.ipynb", as_version=4)
        assert word in teacher.cells[1].source
        whole = {cell.id: cell.source for cell in read_notebook(edition, "backprop").cells if cell.cell_type == "code"}
        assert all(whole[cell.id] == cell.source for cell in teacher.cells if cell.cell_type == "code")
        assert not any({"hide-cell", "hide-input"} & set(cell.metadata.get("tags", [])) for cell in teacher.cells)
        page = BeautifulSoup(
            (course("backprop") / edition / "teacher" / "backprop.html").read_text("utf8"), "html.parser"
        )
        folds = page.find_all("details")
        assert len(folds) > 20 and all(fold.has_attr("open") and fold.find("p") for fold in folds), (
            "an answer outside its fold"
        )


def test_course_pages_fetch_nothing_from_elsewhere(course):
    pages = [path for slug in WHOLE for path in sorted(course(slug).glob(f"*/*/{slug}.html"))]
    assert len(pages) == 12
    for path in pages:
        page = BeautifulSoup(path.read_text("utf8"), "html.parser")
        for tag, attribute in FETCHED.items():
            for element in page.find_all(tag):
                address = element.get(attribute) or ""
                assert not re.match(r"https?:|//", address), f"{path.name} fetches {address}"
                if address and not address.startswith("data:"):
                    assert (path.parent / address).exists(), f"{path.name}: {address} is missing"


def test_slides_follow_the_chapter(course):
    for edition in ("en", "zh"):
        page = BeautifulSoup(
            (course("backprop") / edition / "slides" / "backprop.html").read_text("utf8"), "html.parser"
        )
        for notes in page.find_all("aside", class_="notes"):
            notes.extract()
        shown = page.get_text()
        headings = [
            text
            for cell in read_notebook(edition, "backprop").cells
            if cell.cell_type == "markdown"
            for text in re.findall(r"^## ([^`$\n]+)$", cell.source, re.M)
        ]
        assert len(headings) > 8 and all(
            text in shown for text in headings if text not in ("Further reading", "延伸阅读")
        )
        assert len(page.select("section > section")) > 20
        assert make_course.SKIPPED_IN_SLIDES.fullmatch("ex1-solution") and "exercise 1 passes" not in shown


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_slides_and_handouts_open_from_the_disk(course, browser, edition):
    """Without any server: the slides move on, their mathematics is set, and the student's page has its own set as well."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: faults.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None,
    )
    page.goto((course("backprop") / edition / "slides" / "backprop.html").as_uri())
    page.wait_for_selector(".reveal.ready")
    page.wait_for_selector("section.present mjx-container, section mjx-container", state="attached")
    first = page.url
    for _ in range(3):
        page.keyboard.press("Space")
    page.wait_for_url(lambda url: url != first)  # reveal.js writes the address a little after the slide
    assert page.locator("section.present section.present").is_visible()
    page.goto((course("backprop") / edition / "student" / "backprop.html").as_uri())
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-merror").count() == 0 and faults == []
    cells = read_notebook(edition, "backprop").cells
    answers, _ = answers_of(cells, edition)
    handout = page.inner_text("body")
    title = next(re.search(r"(?m)^### 3\. (.+)$", cell.source)[1] for cell in cells if cell.id == "ex3")
    assert title in handout and leaks(answers, handout.splitlines()) == []
    page.emulate_media(media="print")  # the text that the printed page and its PDF have
    assert leaks(answers, page.inner_text("body").splitlines()) == []
    assert len(page.pdf()) > 100_000
    page.goto((course("backprop") / edition / "slides" / "backprop.html").as_uri() + "?print-pdf")
    page.wait_for_selector(".pdf-page", state="attached")
    deck = page.inner_text("body")
    assert title in deck and leaks(answers, deck.splitlines()) == []
    page.close()


def test_unknown_chapter_is_named(capsys):
    with pytest.raises(SystemExit):
        command(["course", "no-such-chapter"])
    assert "there is no chapter no-such-chapter. The chapters are: " in capsys.readouterr().err


def test_articles_have_no_course_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make_course, "copy_assets", lambda folder: None)
    monkeypatch.setattr(make_course, "chapters", lambda: ["article-concepts"])
    make_course.write_course([], tmp_path)
    assert capsys.readouterr().out.startswith("article-concepts: no course files") and list(tmp_path.iterdir()) == []
