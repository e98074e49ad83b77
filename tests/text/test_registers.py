"""What the book's data files and chapters must hold for its readers: registers, questions, exercises, planted bugs, teaching notes."""

import ast
import re
from collections import Counter

import pytest
import yaml

from bookkit import BOOK, course, trials
from bookkit.editions import chapters, is_article, read_notebook
from bookkit.facts import STUB, exercises, python_of
from bookkit.places import Places

CHAPTERS = chapters()
TAUGHT = [slug for slug in CHAPTERS if not is_article(slug)]  # those with exercises and teaching notes
COVERAGE, QUESTIONS, CORRECTIONS, PLANNED = (
    yaml.safe_load((BOOK / f"{name}.yml").read_text("utf8"))
    for name in ("coverage", "faq", "corrections", "planned_chapters")
)
ITEMS = {"A0": 36, "A1": 77, "A2": 45, "A3": 20, "A4": 29}  # of the five articles, as listed when the book was planned
FAULTS = 192  # statements found wrong, loose or unsourced
CAUGHT = 0.8  # of the planted bugs, at least
TEACHING_PARTS = {
    "en": ["Goals", "Time", "Before", "Board plan", "Common mistakes", "Questions to ask", "Assessment"],
    "zh": ["目标", "课时", "先修", "板书", "常见错误", "课堂提问", "评分标准"],
}
RIGHT, OPTION = (
    {"en": "Right.", "zh": "正确。"},
    re.compile(r"<details><summary>(.+?)</summary>\n\n(.*?)\n\n</details>", re.S),
)
PLACES = Places(BOOK)


def test_coverage_names_every_item():
    numbers = [f"{article}.{number:02}" for article, count in ITEMS.items() for number in range(1, count + 1)]
    assert list(COVERAGE) == numbers
    for number, item in COVERAGE.items():
        assert item["item_en"].strip() and item["item_zh"].strip() and item.get("covered", item.get("planned")), number
    covered, planned = (sum(key in item for item in COVERAGE.values()) for key in ("covered", "planned"))
    print(
        f"coverage: {len(COVERAGE)} of {sum(ITEMS.values())} items mapped, {covered} covered, {planned} wholly or partly planned by chapter"
    )


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
        assert all(
            f"faq#{key}" in COVERAGE[number]["covered"]
            for number in entry["asked"]
            if COVERAGE[number]["kind"] == "FAQ"
        ), key
        assert (
            2 <= len(re.findall(r"[.?!](?=\s|$)", re.sub(r"\]\([^)]*\)|et al\.|vs\.", "", entry["answer_en"]))) <= 5
        ), f"{key}: two to four sentences"
        assert entry["proof"] and any(PLACES.find("en", target).by_code for target in entry["proof"]), (
            f"{key} is shown by no cell"
        )


def test_the_register_is_whole():
    assert list(sorted(CORRECTIONS)) == [f"C{number:03}" for number in range(1, FAULTS + 1)]
    shown = sum("shown" in entry and PLACES.find("en", entry["shown"]).by_code for entry in CORRECTIONS.values())
    print(f"register: {len(CORRECTIONS)} entries, {shown} shown by a cell")
    assert shown >= 90
    for number, entry in CORRECTIONS.items():
        if "withdrawn_en" in entry:
            assert entry["withdrawn_en"].strip() and entry["withdrawn_zh"].strip() and "was" not in entry, number
            continue
        assert ("shown" in entry) != ("planned" in entry), number
        assert entry.get("was") != entry["mark"], number
        # These three are about what the articles promise and how they are laid out: they are their own source.
        assert entry["sources"] or number in ("C019", "C020", "C021") or PLACES.find("en", entry["shown"]).by_code, (
            f"{number} has neither a source nor a cell"
        )


@pytest.mark.parametrize("slug", TAUGHT)
def test_stubs_are_the_same_python_in_both_editions(slug):
    """Whether a stub fails its check, and the solution passes, is tried when the notebook runs (bookkit/trials.py)."""
    editions = (exercises(read_notebook(edition, slug).cells) for edition in ("en", "zh"))
    for (solution, english, _), (_, chinese, _) in zip(*editions, strict=True):
        identifier, stubs = solution.id, STUB.findall(english.source)
        assert len(stubs) == 1, f"{identifier}: the task ends with one Python block, the stub"
        assert stubs == STUB.findall(chinese.source), f"{identifier}: the two editions have different stubs"
        ast.parse(stubs[0])
        assert "Start from:" in english.source and "从这里开始：" in chinese.source, identifier
        assert re.search(r"^\*[^*]+\.\*", english.source, re.M), (
            f"{identifier}: the task does not say how long it takes"
        )


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


@pytest.mark.parametrize("slug", TAUGHT)
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
    assert max(Counter(row.index(True) for row in right["en"]).values()) < len(right["en"]), (
        "the right answer always stands at the same place"
    )


@pytest.mark.parametrize("edition", ["en", "zh"])
@pytest.mark.parametrize("slug", TAUGHT)
def test_teaching_notes(slug, edition):
    notes = course.teaching_notes(slug, edition)
    found = [title.strip(" .:。：") for title in re.findall(r"(?m)^(?:[-*] )?\*\*([^*]+)\*\*", notes)]
    assert [title for title in found if title in TEACHING_PARTS[edition]] == TEACHING_PARTS[edition]
    assert "|---" in notes.replace(" ", ""), "no rubric"


def test_the_model_card_carries_the_measured_test_result():
    digits = {cell.id: cell for cell in read_notebook("en", "cnn-mnist").cells}
    export = {cell.id: cell for cell in read_notebook("en", "export").cells}
    printed = "".join(output.get("text", "") for output in digits["test-open"].outputs)
    wrong, total = re.search(r"full data, test digits: ([\d,]+) wrong of ([\d,]+)", printed).groups()
    assert f"wrong_on_test = {wrong}  # of {total}" in export["card-interval"].source
