"""The course material: registers that cover the articles, exercises with stubs and planted bugs, questions, course files."""
import ast
import re
from collections import Counter

import nbformat
import pytest
import yaml
from browsing import FETCHED
from bs4 import BeautifulSoup

from bookkit import BOOK, trials
from bookkit import course as make_course
from bookkit.editions import chapters, read_notebook
from bookkit.facts import STUB, exercises, python_of
from bookkit.places import Places

CHAPTERS = chapters()

COVERAGE, QUESTIONS, CORRECTIONS, PLANNED = (yaml.safe_load((BOOK / f"{name}.yml").read_text("utf8"))
                                            for name in ("coverage", "faq", "corrections", "planned_chapters"))
ITEMS = {"A0": 36, "A1": 77, "A2": 45, "A3": 20, "A4": 29}      # of the five articles, as listed when the book was planned
FAULTS = 192                                                    # statements found wrong, loose or unsourced
CAUGHT = 0.8                                                    # of the planted bugs, at least
TEACHING_PARTS = {"en": ["Goals", "Time", "Before", "Board plan", "Common mistakes", "Questions to ask", "Assessment"],
                  "zh": ["目标", "课时", "先修", "板书", "常见错误", "课堂提问", "评分标准"]}
RIGHT, OPTION = {"en": "Right.", "zh": "正确。"}, re.compile(r"<details><summary>(.+?)</summary>\n\n(.*?)\n\n</details>", re.S)
PLACES = Places(BOOK)


def test_coverage_names_every_item():
    numbers = [f"{article}.{number:02}" for article, count in ITEMS.items() for number in range(1, count + 1)]
    assert list(COVERAGE) == numbers
    for number, item in COVERAGE.items():
        assert item["item_en"].strip() and item["item_zh"].strip() and item.get("covered", item.get("planned")), number
    covered, planned = (sum(key in item for item in COVERAGE.values()) for key in ("covered", "planned"))
    print(f"coverage: {len(COVERAGE)} of {sum(ITEMS.values())} items mapped, {covered} covered, {planned} wholly or partly planned by chapter")


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_targets_exist(edition):
    """Each place that the data name is there; entries of pages made from data are checked when the site is built."""
    targets = [target for item in COVERAGE.values() for target in item.get("covered", [])]
    targets += [target for entry in QUESTIONS.values() for target in entry["proof"]]
    targets += [entry["shown"] for entry in CORRECTIONS.values() if "shown" in entry]
    for target in targets:
        place = PLACES.find(edition, target)
        assert place.slug in CHAPTERS or place.anchor or target == "resources", target
    for entry in [*COVERAGE.values(), *CORRECTIONS.values()]:
        if "planned" in entry:
            assert entry["planned"] in PLANNED and entry["planned"] not in CHAPTERS, entry


def test_every_question_of_the_articles_is_answered():
    asked = [number for entry in QUESTIONS.values() for number in entry["asked"]]
    assert {number for number, item in COVERAGE.items() if item["kind"] == "FAQ"} <= set(asked) <= set(COVERAGE)
    for key, entry in QUESTIONS.items():
        assert all(f"faq#{key}" in COVERAGE[number]["covered"] for number in entry["asked"] if COVERAGE[number]["kind"] == "FAQ"), key
        assert 2 <= len(re.findall(r"[.?!](?=\s|$)", re.sub(r"\]\([^)]*\)|et al\.|vs\.", "", entry["answer_en"]))) <= 5, f"{key}: two to four sentences"
        assert entry["proof"] and any(PLACES.find("en", target).by_code for target in entry["proof"]), f"{key} is shown by no cell"


def test_the_register_is_whole():
    assert list(sorted(CORRECTIONS)) == [f"C{number:03}" for number in range(1, FAULTS + 1)]
    shown = sum("shown" in entry and PLACES.find("en", entry["shown"]).by_code for entry in CORRECTIONS.values())
    print(f"register: {len(CORRECTIONS)} entries, {shown} shown by a cell")
    assert shown >= 90
    for number, entry in CORRECTIONS.items():
        assert ("shown" in entry) != ("planned" in entry), number
        # These four are about what the articles promise and how they are laid out: they are their own source.
        assert entry["sources"] or number in ("C010", "C019", "C020", "C021") or PLACES.find("en", entry["shown"]).by_code, f"{number} has neither a source nor a cell"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_stubs_are_the_same_python_in_both_editions(slug):
    """Whether a stub fails its check, and the solution passes, is tried when the notebook runs (bookkit/trials.py)."""
    editions = (exercises(read_notebook(edition, slug).cells) for edition in ("en", "zh"))
    for (solution, english, _), (_, chinese, _) in zip(*editions, strict=True):
        identifier, stubs = solution.id, STUB.findall(english.source)
        assert len(stubs) == 1 and stubs == STUB.findall(chinese.source), identifier
        ast.parse(stubs[0])
        assert "Start from:" in english.source and "从这里开始：" in chinese.source, identifier
        assert re.search(r"^\*[^*]+\.\*", english.source, re.M), f"{identifier}: the task does not say how long it takes"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_planted_bugs_fit_their_cells(slug):
    """That they are caught is tried when the notebook runs; those listed as surviving must be few."""
    cells = read_notebook("en", slug).cells
    groups = trials.groups_of(slug, cells, trials.bugs_of(slug))
    changes = [expected for group in groups for _, _, expected in group.changes if expected is not None]
    assert len(changes) >= 10 and changes.count(True) >= CAUGHT * len(changes)
    for group in groups:
        for change, source, _ in group.changes:
            ast.parse(python_of(source)), change


@pytest.mark.parametrize("slug", CHAPTERS)
def test_self_check_questions(slug):
    right = {}
    for edition in ("en", "zh"):
        text = next(cell.source for cell in read_notebook(edition, slug).cells if cell.id == "self-check")
        questions = re.split(r"(?m)^(?=\*\*\d+\. )", text)[1:]
        assert len(questions) >= 4 and "<script" not in text
        options = [OPTION.findall(question) for question in questions]
        assert all(len(found) >= 3 and len({answer for _, answer in found}) == len(found) for found in options)
        right[edition] = [[answer.startswith(RIGHT[edition]) for _, answer in found] for found in options]
        assert all(row.count(True) == 1 for row in right[edition])
    assert right["en"] == right["zh"]
    assert max(Counter(row.index(True) for row in right["en"]).values()) < len(right["en"]), "the right answer always stands at the same place"


@pytest.mark.parametrize("edition", ["en", "zh"])
@pytest.mark.parametrize("slug", CHAPTERS)
def test_teaching_notes(slug, edition):
    notes = make_course.teaching_notes(slug, edition)
    found = [title.strip(" .:。：") for title in re.findall(r"(?m)^(?:[-*] )?\*\*([^*]+)\*\*", notes)]
    assert [title for title in found if title in TEACHING_PARTS[edition]] == TEACHING_PARTS[edition]
    assert "|---" in notes.replace(" ", ""), "no rubric"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course files of two chapters: one with long mathematics, one with figures of its own and large outputs."""
    folder = tmp_path_factory.mktemp("course")
    make_course.copy_assets(folder / "assets")
    for slug in ("backprop", "in-the-browser"):
        make_course.write_chapter(slug, folder)
    return folder


def test_student_edition_gives_nothing_away(course):
    for edition in ("en", "zh"):
        student = nbformat.read(course / edition / "student" / "backprop.ipynb", as_version=4)
        whole = read_notebook(edition, "backprop")
        stubs = {cell.id: cell.source for cell in student.cells if re.fullmatch(r"ex\d+-solution", cell.id)}
        solutions = {cell.id: cell.source for cell in whole.cells if cell.id in stubs}
        assert len(stubs) >= 4 and stubs == {solution.id: stub for solution, _, stub in exercises(whole.cells)}
        text = "\n".join(cell.source for cell in student.cells)
        assert not any(solution in text for solution in solutions.values())
        assert not any(cell.get("outputs") for cell in student.cells)
        checks = [cell.id for cell in student.cells if re.fullmatch(r"ex\d+-check", cell.id)]
        assert len(checks) == len(stubs)


def test_teacher_edition_has_notes_and_solutions(course):
    for edition, word in (("en", "Board plan"), ("zh", "板书")):
        teacher = nbformat.read(course / edition / "teacher" / "backprop.ipynb", as_version=4)
        assert word in teacher.cells[1].source
        whole = {cell.id: cell.source for cell in read_notebook(edition, "backprop").cells if cell.cell_type == "code"}
        assert all(whole[cell.id] == cell.source for cell in teacher.cells if cell.cell_type == "code")
        assert not any({"hide-cell", "hide-input"} & set(cell.metadata.get("tags", [])) for cell in teacher.cells)


def test_course_pages_fetch_nothing_from_elsewhere(course):
    pages = sorted(course.glob("*/*/*.html"))
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
        page = BeautifulSoup((course / edition / "slides" / "backprop.html").read_text("utf8"), "html.parser")
        for notes in page.find_all("aside", class_="notes"):
            notes.extract()
        shown = page.get_text()
        headings = [text for cell in read_notebook(edition, "backprop").cells if cell.cell_type == "markdown"
                    for text in re.findall(r"^## ([^`$\n]+)$", cell.source, re.M)]
        assert len(headings) > 8 and all(text in shown for text in headings if text not in ("Further reading", "延伸阅读"))
        assert len(page.select("section > section")) > 20
        assert make_course.SKIPPED_IN_SLIDES.fullmatch("ex1-solution") and "exercise 1 passes" not in shown


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_slides_and_handouts_open_from_the_disk(course, browser, edition):
    """Without any server: the slides move on, their mathematics is set, and the student's page has its own set as well."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto((course / edition / "slides" / "backprop.html").as_uri())
    page.wait_for_selector(".reveal.ready")
    page.wait_for_selector("section.present mjx-container, section mjx-container", state="attached")
    first = page.url
    for _ in range(3):
        page.keyboard.press("Space")
    assert page.url != first and page.locator("section.present section.present").is_visible()
    page.goto((course / edition / "student" / "backprop.html").as_uri())
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-merror").count() == 0 and faults == []
    assert len(page.pdf()) > 100_000
    page.close()


def test_unknown_chapter_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_course.py", "no-such-chapter"])
    with pytest.raises(SystemExit, match="There is no chapter no-such-chapter. The chapters are: backprop"):
        make_course.main()
