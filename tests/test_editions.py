"""The contract of the notebooks: both editions in step, every cell executed, no litter in the outputs."""
import re

import pytest
import sync_editions
import yaml
from bookkit import repository
from conftest import BOOK, CHAPTERS, ROOT, compared_and_exempt_cells, read_notebook

LITTER = re.compile(r"Warning\b|Traceback|━|█|\r|\x1b\[|\d+(ms|us|s)/(step|epoch)")
IGNORED_SHARE = 0.1     # of the code cells that print anything


def code_cells(slug):
    return [cell for cell in read_notebook("en", slug).cells if cell.cell_type == "code"]


def without_alternative_text(cell):
    """Return what the editions must share of a cell: all but Markdown text and the figures' alternative text."""
    metadata = {key: value for key, value in cell.metadata.items() if key != "mystnb"}
    return {"id": cell.id, "type": cell.cell_type, "metadata": metadata,
            **({"source": cell.source, "outputs": cell.outputs, "count": cell.execution_count} if cell.cell_type == "code" else {})}


def test_same_chapters():
    names = {edition: sorted(path.name for path in (BOOK / edition).iterdir() if path.suffix in (".ipynb", ".md"))
             for edition in ("en", "zh")}
    assert names["en"] == names["zh"]


def test_same_contents():
    """_toc.yml gives both editions the same parts and chapters in the same order."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    parts = {"en": [], "zh": []}
    for part in contents["parts"]:
        for edition in parts:
            slugs = [chapter["file"].removeprefix(f"book/{edition}/") for chapter in part["chapters"]
                     if chapter["file"].startswith(f"book/{edition}/") and not chapter["file"].endswith("/index")]
            if slugs:
                parts[edition].append((part.get("numbered", False), slugs))
    assert parts["en"] == parts["zh"]
    listed = {slug for _, slugs in parts["en"] for slug in slugs} | {"index"}
    assert listed == {path.stem for path in (BOOK / "en").iterdir() if path.suffix in (".ipynb", ".md")}


@pytest.mark.parametrize("slug", CHAPTERS)
def test_same_cells(slug):
    english, chinese = (read_notebook(edition, slug).cells for edition in ("en", "zh"))
    assert [cell.id for cell in english] == [cell.id for cell in chinese]
    for one, other in zip(english, chinese):
        assert without_alternative_text(one) == without_alternative_text(other), f"cell {one.id} differs between the editions"
        if one.cell_type == "markdown":
            assert one.source != other.source or not re.search(r"[a-z]{4}", re.sub(r"`[^`]*`|\$[^$]*\$|\S+\.\w+", "", one.source)), \
                f"cell {one.id} is not translated"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_in_step_with_the_tool(slug):
    """tools/sync_editions.py would change nothing: metadata, Colab line and outputs are as it leaves them."""
    english, chinese = (read_notebook(edition, slug) for edition in ("en", "zh"))
    tidied = sync_editions.tidy(read_notebook("en", slug), repository.committed_address(repository.read_settings()))
    assert tidied == english
    assert sync_editions.carry(english, chinese) == chinese


@pytest.mark.parametrize("slug", CHAPTERS)
def test_every_cell_was_executed_in_order(slug):
    counts = [cell.execution_count for cell in code_cells(slug)]
    assert counts == list(range(1, len(counts) + 1)), "run the notebook from the top and commit it with its outputs"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_outputs_are_clean(slug):
    for cell in code_cells(slug):
        for output in cell.outputs:
            assert output.output_type != "error", f"{cell.id} ends in an error"
            assert output.get("name") != "stderr", f"{cell.id} writes to stderr: {output.text[:200]}"
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not LITTER.search(text), f"{cell.id} prints {LITTER.search(text).group()!r}"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_code_cells_are_short_and_explained(slug):
    cells = read_notebook("en", slug).cells
    for before, cell in zip([None, *cells], cells):
        if cell.cell_type != "code":
            continue
        assert len(repository.without_set_up(cell.source).splitlines()) <= 25, f"{cell.id} is longer than 25 lines"
        folded_or_check = "solution" in cell.metadata.get("tags", []) or "solution" in before.metadata.get("tags", [])
        assert before.cell_type == "markdown" or folded_or_check, f"no paragraph stands between {before.id} and {cell.id}"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_ignored_outputs_are_followed_by_a_check(slug):
    cells = code_cells(slug)
    assert cells[0].id == "setup" and cells[-1].id == "run-report"
    for cell, following in zip(cells, cells[1:]):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            assert "assert" in following.source, f"{cell.id} is not compared, and no check follows it"


def test_few_outputs_are_ignored():
    printing, ignored = compared_and_exempt_cells()
    assert ignored <= IGNORED_SHARE * printing


@pytest.mark.parametrize("slug", CHAPTERS)
def test_exercises_have_checked_solutions(slug):
    identifiers = [cell.id for cell in code_cells(slug)]
    numbers = sorted(int(name[2:-9]) for name in identifiers if re.fullmatch(r"ex\d+-solution", name))
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 4
    for number in numbers:
        solution = next(cell for cell in code_cells(slug) if cell.id == f"ex{number}-solution")
        check = next(cell for cell in code_cells(slug) if cell.id == f"ex{number}-check")
        assert {"solution", "hide-cell"} <= set(solution.metadata.tags)
        assert "assert" in check.source
