"""The contract of the notebooks: both editions in step, every cell executed, no litter in the outputs."""

import re

import pytest
import yaml

from bookkit import BOOK, ROOT, repository, sync
from bookkit.editions import chapters, is_article, read_notebook

CHAPTERS = chapters()

LITTER = re.compile(r"Warning\b|Traceback|━|█|\r|\x1b\[|\d+(ms|us|s)/(step|epoch)")
IGNORED_SHARE = 0.1  # of the code cells that print anything


def code_cells(slug):
    return [cell for cell in read_notebook("en", slug).cells if cell.cell_type == "code"]


def shared_part(cell):
    """Return what the editions must share of a cell: all but Markdown text, the figures' alternative text and the stamp."""
    metadata = {key: value for key, value in cell.metadata.items() if key not in ("mystnb", "translation")}
    return {
        "id": cell.id,
        "type": cell.cell_type,
        "metadata": metadata,
        **(
            {"source": cell.source, "outputs": cell.outputs, "count": cell.execution_count}
            if cell.cell_type == "code"
            else {}
        ),
    }


def test_same_chapters():
    names = {
        edition: sorted(path.name for path in (BOOK / edition).iterdir() if path.suffix in (".ipynb", ".md"))
        for edition in ("en", "zh")
    }
    alone = {
        edition: sorted(set(names[edition]) - set(names[other])) for edition, other in (("en", "zh"), ("zh", "en"))
    }
    assert not any(alone.values()), (
        f"these pages have no twin: in English {alone['en']}, in Chinese {alone['zh']}. Both editions are written together"
    )


def test_same_contents():
    """_toc.yml gives both editions the same parts and chapters in the same order."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    parts = {"en": [], "zh": []}
    for part in contents["parts"]:
        for edition in parts:
            slugs = [
                chapter["file"].removeprefix(f"book/{edition}/")
                for chapter in part["chapters"]
                if chapter["file"].startswith(f"book/{edition}/") and not chapter["file"].endswith("/index")
            ]
            if slugs:
                parts[edition].append((part.get("numbered", False), slugs))
    assert parts["en"] == parts["zh"], (
        "_toc.yml lists other chapters, or another order, for one edition than for the other"
    )
    listed = {slug for _, slugs in parts["en"] for slug in slugs} | {"index"}
    there = {path.stem for path in (BOOK / "en").iterdir() if path.suffix in (".ipynb", ".md")}
    assert listed == there, (
        f"not in _toc.yml: {sorted(there - listed)}; in _toc.yml, but not there: {sorted(listed - there)}"
    )


@pytest.mark.parametrize("slug", CHAPTERS)
def test_same_cells(slug):
    english, chinese = (read_notebook(edition, slug).cells for edition in ("en", "zh"))
    assert [cell.id for cell in english] == [cell.id for cell in chinese], (
        f"other cells, or another order: python -m bookkit sync {slug}"
    )
    for one, other in zip(english, chinese):
        assert shared_part(one) == shared_part(other), f"cell {one.id} differs between the editions"
        if one.cell_type == "markdown":
            assert one.source != other.source or not re.search(
                r"[a-z]{4}", re.sub(r"`[^`]*`|\$[^$]*\$|\S+\.\w+", "", one.source)
            ), f"cell {one.id} is not translated"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_in_step_with_the_tool(slug):
    """`python -m bookkit sync` would change nothing: metadata, Colab line and outputs are as it leaves them."""
    english, chinese = (read_notebook(edition, slug) for edition in ("en", "zh"))
    tidied = sync.tidy(read_notebook("en", slug), repository.committed_address(repository.read_settings()))
    assert tidied == english
    assert sync.carry(english, chinese) == chinese


@pytest.mark.parametrize("slug", CHAPTERS)
def test_translations_are_of_the_present_text(slug):
    """Each Chinese Markdown cell was written, or looked at, for the English text as it stands."""
    states = sync.out_of_step(*(read_notebook(edition, slug) for edition in ("en", "zh")))
    assert not states, (
        f"look at the Chinese text of these cells, then run: python -m bookkit sync {slug} --stamp\n{states}"
    )


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
        assert before.cell_type == "markdown" or folded_or_check, (
            f"no paragraph stands between {before.id} and {cell.id}"
        )


@pytest.mark.parametrize("slug", CHAPTERS)
def test_ignored_outputs_are_followed_by_a_check(slug):
    cells = code_cells(slug)
    assert cells[0].id == "setup" and cells[-1].id == "run-report"
    for cell, following in zip(cells, cells[1:]):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            assert "assert" in following.source, f"{cell.id} is not compared, and no check follows it"


def test_few_outputs_are_ignored():
    """Printing text or drawing a picture: most of it is compared."""
    cells = [cell for slug in CHAPTERS for cell in code_cells(slug) if cell.outputs and cell.id != "run-report"]
    ignored = sum("nbval-ignore-output" in cell.metadata.get("tags", []) for cell in cells)
    print(f"{ignored} of {len(cells)} printing cells are exempt from comparison ({ignored / len(cells):.1%})")
    assert ignored <= IGNORED_SHARE * len(cells)


@pytest.mark.parametrize("slug", [slug for slug in CHAPTERS if not is_article(slug)])
def test_exercises_have_checked_solutions(slug):
    identifiers = [cell.id for cell in code_cells(slug)]
    numbers = sorted(int(name[2:-9]) for name in identifiers if re.fullmatch(r"ex\d+-solution", name))
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 4
    for number in numbers:
        solution = next(cell for cell in code_cells(slug) if cell.id == f"ex{number}-solution")
        check = next(cell for cell in code_cells(slug) if cell.id == f"ex{number}-check")
        assert {"solution", "hide-cell"} <= set(solution.metadata.tags)
        assert "assert" in check.source
