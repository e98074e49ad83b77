"""Write a chapter's course files in both languages: student notebook, teacher notebook, slides.

    python -m bookkit course [SLUG ...] [--timed] [--output FOLDER]     (all chapters if none is named, but no article of part VII)

    <output>/en/student/<slug>.ipynb, .html   without outputs and answers; each exercise starts from its stub
    <output>/en/teacher/<slug>.ipynb, .html   with the teaching notes, the solutions unfolded, and what a run costs
    <output>/en/slides/<slug>.html            reveal.js slides without answers; the full text is in the speaker notes (key S)
    <output>/zh/...                           the same in Chinese
    <output>/assets                           reveal.js and MathJax, so that all pages open without a network

Drawings are inside each file.

With --timed the English notebook is run here, and the teacher notebook lists what each section took on this machine.
"""

import base64
import datetime
import functools
import mimetypes
import os
import re
import shutil
import sys
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter, SlidesExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import CellExecutionError, ClearOutputPreprocessor, ExecutePreprocessor
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from bookkit import BOOK, repository
from bookkit.editions import LANGUAGES, chapters, is_article, read_notebook
from bookkit.facts import STUB, chapter_facts, exercises
from bookkit.places import FENCED
from bookkit.sphinx.plain_markdown import BOXES, CAPTION_STARTS, END_OF_TITLE

KINDS = ("student", "teacher", "slides")
WORDS = {
    "en": {
        "exercises": "## Exercises",
        "start": "Start from:",
        "student": "**Student edition.** The exercises start from stubs; the check below each stub tells whether your code is right. "
        "*Run All* stops at the first check that does not pass, and a check passes only when its exercise is solved. "
        "To do a later exercise first, run its cells one by one.",
        "choose": "Exactly one option of each question is right. Your teacher has the answers.",
        "teacher": "## For the teacher",
        "run": "The committed run took {seconds} s and {megabytes:,} MB on {cores} CPU cores.",
        "exercises-are": "{count} exercises, by their texts: ",
        "timed": "On this machine, in seconds: ",
        "page": "The chapter on the site",
        "no-site": "These files were made without the address of the published site, so that links to other chapters are "
        "plain words. Set `repository: url` in `_config.yml` and make them again.",
        "separator": "; ",
    },
    "zh": {
        "exercises": "## 练习",
        "start": "从这里开始：",
        "student": "**学生版**。练习从代码骨架开始，下面的检查单元格会告诉你写得对不对。练习做对之前检查通不过，"
        "所以“全部运行”会停在第一个没有通过的检查处。想先做后面的练习，就逐个运行那道题的单元格。",
        "choose": "每题恰有一个选项是对的，答案在老师那里。",
        "teacher": "## 教师用",
        "run": "仓库中的这次运行用时{seconds}秒，内存峰值{megabytes:,} MB，{cores}个CPU核。",
        "exercises-are": "{count}道练习，题面给出的时间：",
        "timed": "在这台机器上的用时（秒）：",
        "page": "网站上的本章",
        "no-site": "生成这些文件时不知道网站的地址，"
        "所以指向其他章的链接都成了普通文字。请在`_config.yml`里填好`repository: url`，再重新生成。",
        "separator": "；",
    },
}
HEADING = re.compile(r"^#{1,4} .+$", re.M)
BLOCK = re.compile(r"\n\s*\n(?=\S)")
DEMO_LINK = re.compile(r"\[([^\[\]]*)\]\([./]*assets/demo/[^)]*\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\((?!\w+:)([^)\s]+)\)")
FOLD = re.compile(r"<details[^>]*>\s*<summary>(.*?)</summary>.*?</details>", re.S)
ANNOUNCED = re.compile(r"(?:Answer|答案)\s*(?:[:：]\s*|$)")  # how the summary of a fold in the text begins
ON_SOLUTIONS = re.compile(
    r"solution|answer|folded|参考解|解答|答案|折叠", re.I
)  # said above the exercises of what students do not have
SKIPPED_IN_SLIDES = re.compile(r"setup|run-report|reading|ex\d+(-.*)?")
SHORT_CODE = 12  # lines; longer code gets a slide of its own, and its output the next one
ROOM = 500  # characters of text that leave room for short code on a slide


@functools.cache
def site_address():
    """Return the published site's address with a final slash, or "" if it is not known."""
    return repository.site_address(repository.read_settings())


def with_site_links(notebook, edition):
    """Return the notebook with links to other pages of the book, and to its live demo, pointing to the published site.

    Where its address is not known, links become plain words.
    """
    notebook = deepcopy(notebook)
    demo = rf"[\1]({site_address()}{edition}/in-the-browser.html)" if site_address() else r"\1"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = DEMO_LINK.sub(demo, repository.link_to_site(cell.source, edition, site_address()))
    return notebook


def with_pictures(notebook, edition):
    """Return the notebook with the drawings of its Markdown cells inside, so that each file can be handed out alone.

    The drawing stands as a data address below the text, as Colab writes it: JupyterLab shows SVG there, but not among a
    cell's attachments. Raises FileNotFoundError for a drawing that is not there.
    """
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            drawings = {Path(address).name: BOOK / edition / address for _, address in PICTURE.findall(cell.source)}
            cell.source = PICTURE.sub(lambda picture: f"![{picture[1]}][{Path(picture[2]).name}]", cell.source)
            for name, path in drawings.items():
                cell.source += f"\n\n[{name}]: data:{mimetypes.guess_type(name)[0]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return notebook


def parts_of(text):
    """Return a Markdown text cut before each heading of the second and third level; what looks like one inside fenced code is none."""
    starts = [
        match.start() for match in re.finditer(r"(?m)^#{2,3} ", FENCED.sub(lambda block: "." * len(block[0]), text))
    ]
    return [text[start:end] for start, end in zip([0, *starts], [*starts, len(text)])]


def question_of(fold):
    """Return, in bold, the question that a fold's summary asks; "" if it only says that here is an answer."""
    question = ANNOUNCED.sub("", fold[1].strip(), count=1)
    return f"**{question[0].upper()}{question[1:]}**" if question else ""


def questions_only(text, edition):
    """Return the text of a self-check with its questions and options, and nothing that tells the right one."""
    opening, *questions = re.split(r"(?m)^(?=\*\*\d+\. )", text)
    heading = BLOCK.split(opening.strip())[0]
    return "\n\n".join(
        [heading, WORDS[edition]["choose"], *(FOLD.sub(r"- \1", question).strip() for question in questions)]
    )


def without_answers(notebook, edition):
    """Return the notebook as a class may have it: questions and tasks stand, and their answers are not folded but absent.

    - Each exercise starts from its stub. Other cells tagged as solution go, and so does what the exercises say outside
      their tasks: between a check and the next heading stands the discussion of the solution.
    - Of the self-check the questions and their options stay. Of a fold anywhere else its question stays, in bold.
    """
    notebook, words = deepcopy(notebook), WORDS[edition]
    for solution, task, stub in list(exercises(notebook.cells)):
        task.source = STUB.sub("", task.source).replace(words["start"], "").rstrip()
        solution.source, solution.outputs = stub, []
        solution.metadata = nbformat.from_dict({"tags": ["exercise"]})
    cells, in_exercises = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            kept = []
            for part in parts_of(cell.source):
                if part.startswith("## "):
                    in_exercises = part.startswith(words["exercises"])
                    if in_exercises:
                        part = (
                            "\n\n".join(block for block in BLOCK.split(part.rstrip()) if not ON_SOLUTIONS.search(block))
                            + "\n\n"
                        )
                if part.startswith("#") or not in_exercises:
                    kept.append(part)
            text = "".join(kept)
            cell.source = (
                questions_only(text, edition) if cell.id == "self-check" else FOLD.sub(question_of, text)
            ).strip()
            if cell.source:
                cells.append(cell)
        elif "solution" not in cell.metadata.get("tags", []):
            cells.append(cell)
    notebook.cells = cells
    return notebook


def student_edition(notebook, edition):
    """Return the notebook for students: without outputs and answers, and with a word on both in its first cell."""
    notebook = with_site_links(without_answers(notebook, edition), edition)
    notebook.cells[0].source += f"\n\n> {WORDS[edition]['student']}"
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    return notebook


def teaching_notes(slug, edition):
    """Return the chapter's teaching notes, without their heading; "" if there are none."""
    path = BOOK / "chapters" / slug / f"teaching.{edition}.md"
    return path.read_text("utf8").partition("\n")[2].strip() if path.exists() else ""


def section_titles(cell):
    """Return the headings of the first two levels in a Markdown cell, without their marks."""
    return [text.lstrip("# ") for text in HEADING.findall(cell.source) if text.startswith(("# ", "## "))]


def seconds_by_section(notebook):
    """Return the seconds of each section, in order, of an executed notebook whose cells carry their timing."""
    seconds = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            seconds += [0.0] * len(section_titles(cell))
        elif "execution" in cell.metadata:
            start, end = (
                datetime.datetime.fromisoformat(cell.metadata.execution[key].replace("Z", "+00:00"))
                for key in ("iopub.execute_input", "shell.execute_reply")
            )
            seconds[-1] += (end - start).total_seconds()
    return seconds


def teacher_edition(notebook, slug, edition, timed):
    """Return the notebook for teachers: notes and costs after the title, solutions and answers unfolded.

    `timed` is the executed English notebook with timings, or None.
    """
    words = WORDS[edition]
    facts = chapter_facts(notebook.cells)
    tasks = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    durations = [
        f"{title} ({time})"
        for text in tasks
        for title, time in re.findall(r"^### (\d+\. .+)\n\n\*([^*]+?)[.。]?\*", text, re.M)
    ]
    lines = [words["teacher"], words["run"].format(**facts._asdict())]
    lines += [words["exercises-are"].format(count=facts.exercises) + words["separator"].join(durations)]
    if timed is not None:
        titles = [title for cell in notebook.cells if cell.cell_type == "markdown" for title in section_titles(cell)]
        lines += [
            words["timed"]
            + words["separator"].join(
                f"{title} {seconds:.0f}" for title, seconds in zip(titles, seconds_by_section(timed), strict=True)
            )
        ]
    page = f"[{words['page']}]({site_address()}{edition}/{slug}.html)" if site_address() else words["no-site"]
    lines += [page, teaching_notes(slug, edition)]
    notebook = deepcopy(notebook)
    notebook.cells.insert(1, new_markdown_cell("\n\n".join(lines), id="for-the-teacher"))
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if "tags" in cell.metadata:
            cell.metadata.tags = [tag for tag in cell.metadata.tags if tag not in ("hide-cell", "hide-input")]
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("<details>", "<details open>")
    return with_site_links(notebook, edition)


def box_of(block):
    """Return the style of the box that a block of Markdown is, None if it is none."""
    title = re.match(r"> \*\*([^*]+)\*\*", block)
    return BOXES.get(title[1].strip(END_OF_TITLE).lower()) if title else None


def up_to_predictions(text):
    """Return the text of a slide cut behind each request for a prediction: what answers it comes on the next slide."""
    slides = [[]]
    for block in BLOCK.split(text):
        slides[-1].append(block)
        if box_of(block) == "predict":
            slides.append([])
    return ["\n\n".join(blocks) for blocks in slides if blocks]


def on_a_slide(text):
    """Return what of a Markdown text stands on a slide: headings, formulas, lists, tables, boxes, pictures.

    Of ordinary paragraphs only the first sentence of the first one stays, and that only if nothing but headings would.
    """
    kept, first = [], None
    for block in BLOCK.split(text.strip()):
        if block.startswith(("#", "$$", "- ", "* ", "1. ", "|", "![", "```")) or box_of(block):
            kept.append(block)
        elif first is None:
            first = block
    if first and all(block.startswith("#") for block in kept):
        kept.append(re.split(r"(?<=[.?!])\s|(?<=[。？！])", first)[0])
    return "\n\n".join(kept)


def slide_notebook(notebook, edition):
    """Return the notebook cut into slides, with `slide_type` metadata as JupyterLab writes it.

    A heading of the second level begins a slide; text and short code share the slides below it, long code and pictures
    have slides of their own, and what follows a request for a prediction comes on the next one. Set-up, solutions and
    checks of exercises are left out; the tasks' titles and the self-check questions stay. The full text is in the speaker
    notes. As a deck is projected and given away, it has no answers, not even in the notes: the teacher's files have them.
    """
    notebook, cells = without_answers(notebook, edition), []

    def add(cell, kind, suffix=""):
        cell = deepcopy(cell)
        cell.id = f"{cell.id[:58]}{suffix}"
        alternative_text = {key: value for key, value in cell.metadata.items() if key == "mystnb"}
        cell.metadata = nbformat.from_dict({"slideshow": {"slide_type": kind}, **alternative_text})
        cells.append(cell)
        return cell

    def add_text(source, kind, identifier):
        add(new_markdown_cell(source, id=identifier[:58]), kind, f"-{len(cells)}")

    has_room = False  # on the last slide, for a short cell of code
    for cell in with_site_links(notebook, edition).cells:
        begins_exercises = cell.source.startswith(WORDS[edition]["exercises"])
        if SKIPPED_IN_SLIDES.fullmatch(cell.id) and not begins_exercises:
            continue
        if cell.id == "self-check":
            heading, *questions = re.split(r"(?m)^(?=\*\*\d+\. )", cell.source)
            add_text(heading.strip(), "slide", cell.id)
            for question in questions:
                add_text(question.strip(), "subslide", cell.id)
        elif begins_exercises:
            tasks = [
                text
                for other in notebook.cells
                if other.cell_type == "markdown"
                for text in re.findall(r"^### (\d+\. .+)$", other.source, re.M)
            ]
            add_text("\n\n".join([WORDS[edition]["exercises"], *tasks]), "slide", cell.id)
        elif cell.cell_type == "markdown":
            text = cell.source
            if text.startswith(tuple(f"*{word}" for word in CAPTION_STARTS)):  # it belongs to the picture above
                caption, _, text = text.partition("\n\n")
                add_text(caption, "-", cell.id)
            for part in filter(str.strip, re.split(r"(?m)^(?=## )", text)):
                shown = on_a_slide(part)
                for piece in filter(None, up_to_predictions(shown)):
                    add_text(piece, "slide" if piece.startswith(("# ", "## ")) else "subslide", cell.id)
                    has_room = len(piece) < ROOM and box_of(BLOCK.split(piece)[-1]) != "predict"
                add_text(part.strip(), "notes", cell.id)
        else:
            pictures = any("image/png" in output.get("data", {}) for output in cell.outputs)
            split = pictures or len(cell.source.splitlines()) > SHORT_CODE
            if "hide-input" not in cell.metadata.get("tags", []):
                code = add(cell, "-" if has_room and len(cell.source.splitlines()) <= SHORT_CODE else "subslide")
                code.outputs = [] if split else code.outputs
            if cell.outputs and (split or "hide-input" in cell.metadata.get("tags", [])):
                add(cell, "subslide", "-out").metadata["tags"] = ["output-only"]
            has_room = False
    result = deepcopy(notebook)
    result.cells = cells
    return result


class Handout(HTMLExporter):
    """nbconvert's exporter without its second pass over the finished page, which takes two thirds of the time.

    That pass gives pictures a placeholder for their alternative text; the templates give them the book's own.
    """

    def from_notebook_node(self, notebook, resources=None, **options):
        resources = self._init_resources(resources)
        self.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3", parent=self))
        self.register_filter(
            "filter_data_type",
            WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=resources),
        )
        return super(HTMLExporter, self).from_notebook_node(notebook, resources, **options)


class Slides(SlidesExporter, Handout):
    """The same for slides."""


def page(exporter, notebook, title, path):
    """Write a notebook as a page through one of nbconvert's exporters."""
    notebook = deepcopy(notebook)
    notebook.metadata["title"] = title
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(BOOK)}})
    path.write_text(body, "utf8")


def exporters(edition):
    """Return the exporters of handouts and of slides; both find their scripts in ../../assets."""
    templates = [str(Path(__file__).with_name("templates"))]
    common = {
        "extra_template_basedirs": templates,
        "extra_template_paths": templates,
        "mathjax_url": "../../assets/mathjax/tex-chtml.js",
        "filters": {
            "clean_html": lambda html: html
        },  # the book's own code needs no sanitizing, which takes a third of the time
        "language_code": {"en": "en", "zh": "zh-CN"}[edition],
    }
    config = Config(TagRemovePreprocessor={"enabled": True, "remove_input_tags": {"output-only"}})
    slides = Slides(
        template_name="slides", reveal_url_prefix="../../assets/reveal", reveal_theme="white", config=config, **common
    )
    return Handout(template_name="handout", **common), slides


def copy_assets(folder):
    """Copy reveal.js and MathJax from their installed wheels into a folder.

    Raises SystemExit if a wheel is missing.
    """
    for package, inside, name in (
        ("sphinx_revealjs", "_static/revealjs", "reveal"),
        ("sphinx-mathjax-offline", "static/mathjax", "mathjax"),
    ):
        found = find_spec(package)
        if found is None:
            sys.exit(
                f"The package {package} is not installed: run `make environment`, or pip install -r requirements.txt."
            )
        shutil.copytree(
            Path(found.origin).parent / inside,
            folder / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.map", "*.scss", "*.esm.js"),
        )


def run_with_timing(slug):
    """Execute a chapter's English notebook on this machine and return it with each cell's times."""
    notebook = nbformat.read(BOOK / "en" / f"{slug}.ipynb", as_version=4)
    try:
        ExecutePreprocessor(timeout=600, record_timing=True).preprocess(
            notebook, {"metadata": {"path": str(BOOK / "en")}}
        )
    except CellExecutionError as error:
        sys.exit(f"{slug} could not be run for its timing: {error}")
    return notebook


def write_chapter(slug, output, timed=False, kinds=KINDS):
    """Write a chapter's course files, of all kinds or of those named, in both languages below `output`."""
    measured = run_with_timing(slug) if timed else None
    for edition in LANGUAGES:
        notebook = read_notebook(edition, slug)
        repository.with_set_up(notebook, repository.repository_address(repository.read_settings()))
        title = HEADING.search(notebook.cells[0].source)[0].lstrip("# ")
        handout, slides = exporters(edition)
        for kind in kinds:
            if kind == "student":
                made = student_edition(notebook, edition)
            elif kind == "teacher":
                made = teacher_edition(notebook, slug, edition, measured)
            else:
                made = slide_notebook(notebook, edition)
            made = with_pictures(made, edition)
            folder = output / edition / kind
            folder.mkdir(parents=True, exist_ok=True)
            if kind != "slides":
                nbformat.validate(made)
                nbformat.write(made, folder / f"{slug}.ipynb")
            page(slides if kind == "slides" else handout, made, title, folder / f"{slug}.html")


def write_course(slugs, output, timed=False):
    """Write the course files of the chapters named (all if none is) below the folder `output`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    output = output.resolve()
    copy_assets(output / "assets")
    for slug in slugs or chapters():
        if is_article(slug):
            print(f"{slug}: no course files, since it tests an article and has neither exercises nor teaching notes")
            continue
        write_chapter(slug, output, timed)
        print(f"{slug}: {output}/en and {output}/zh, folders student, teacher and slides")
