"""The course files: student and teacher notebooks, slides."""
import re

import nbformat
import pytest
from browsing import FETCHED
from bs4 import BeautifulSoup

from bookkit import course as make_course
from bookkit.editions import read_notebook
from bookkit.facts import exercises


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
