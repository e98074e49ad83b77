"""Settings shared by all tests: nbval's policy, and the built site that the site and browser tests look at.

It stands at the top, and not in tests/, so that the policy also holds for `pytest book/en/backprop.ipynb`.
"""
import contextlib
import functools
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import nbval.plugin
import pytest

ROOT = Path(__file__).resolve().parent
BOOK = ROOT / "book"
CHAPTERS = sorted(path.stem for path in (BOOK / "en").glob("*.ipynb"))
sys.path[:0] = [str(ROOT / "tools"), str(BOOK / "extension"), str(ROOT / "tests")]

import reader_trials  # noqa: E402  (found through the line above)

# Notebooks run on the CPU, and on the packaged data unless they name the full sets (below). The tests of the loaders for
# the full sets (test_data.py) run where BOOK_DATA names them.
if "BOOK_DATA" in os.environ:
    os.environ["LANDING_FULL_DATA"] = os.environ.pop("BOOK_DATA")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Where pytest-xdist runs two notebooks side by side, each gets one thread: threads that wait for each other's cores cost
# more than they bring.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

PROVENANCE = re.compile(r"^(?:MNIST|CIFAR-10): .*from the BOOK_DATA folder.*$", re.M)


@functools.cache
def provenance_here():
    """Return the lines that the loaders print for the full sets of this machine."""
    from landing import data

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        if "LANDING_FULL_DATA" in os.environ:
            patch.setenv("BOOK_DATA", os.environ["LANDING_FULL_DATA"])
            for load in (data.load_mnist, data.load_cifar10):
                load()
    return set(PROVENANCE.findall(printed.getvalue()))


def provenance_of(path):
    """Return the lines about full data sets in a notebook's committed outputs."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return set(PROVENANCE.findall("\n".join(output.get("text", "") for cell in cells for output in cell.outputs)))


# Three rules of this book on top of nbval's collector (whose class its own code names, so that it is changed and not derived from).
#
# TensorFlow writes to stderr what it finds on start-up (processor, drivers), which differs between machines. Committed
# notebooks hold no stderr at all (test_editions.py); nbval must not compare what a run adds there.
#
# A notebook whose committed outputs name a full data set is run on that set and compared, if this machine has the same
# one. If not, it is run on the packaged default: every cell and every check in it, but its outputs are other ones.
#
# After its cells, a notebook's checks are tried on stubs and planted bugs (reader_trials.py).
original_init, original_setup, original_collect = (getattr(nbval.plugin.IPyNbFile, name) for name in ("__init__", "setup", "collect"))


def init_by_data_source(self, *arguments, **options):
    original_init(self, *arguments, **options)
    self.skip_compare = (*self.skip_compare, "stderr")
    named = provenance_of(self.path)
    self.full_data = bool(named) and named <= provenance_here()
    if named and not self.full_data:
        self.compare_outputs = False


def setup_with_data(self):
    with pytest.MonkeyPatch.context() as patch:
        if self.full_data:
            patch.setenv("BOOK_DATA", os.environ["LANDING_FULL_DATA"])
        original_setup(self)


def collect_with_trials(self):
    yield from original_collect(self)
    yield from reader_trials.collect_trials(self)


nbval.plugin.IPyNbFile.__init__ = init_by_data_source
nbval.plugin.IPyNbFile.setup = setup_with_data
nbval.plugin.IPyNbFile.collect = collect_with_trials


# What measures time, or starts servers that must answer in time, is run by itself: .ci/run and `make test` run these files
# after all others, which share the processor.
TIMED = {"compress.ipynb", "export.ipynb", "large-models.ipynb", "serve.ipynb", "test_demo.py", "test_serving.py"}


# Two processes share the files, in this order: the longest first, so that none is left to one of them at the end.
LONGEST = ["test_browser.py", "cnn-cifar10.ipynb", "rnn-text.ipynb", "cnn-mnist.ipynb", "idea-map.ipynb", "optimizers.ipynb"]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in TIMED:
            item.add_marker("timed")
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_terminal_summary(terminalreporter):
    printing, ignored = compared_and_exempt_cells()
    terminalreporter.write_line(f"{ignored} of {printing} printing cells are exempt from comparison ({ignored / printing:.1%})")
    planted = reader_trials.summary(report for reports in terminalreporter.stats.values() for report in reports)
    if planted:
        terminalreporter.write_line(planted)
    elsewhere = [slug for slug in CHAPTERS if not provenance_of(BOOK / "en" / f"{slug}.ipynb") <= provenance_here()]
    if elsewhere:
        terminalreporter.write_line(
            f"Run on the packaged data, outputs not compared: {', '.join(elsewhere)}. Their outputs were made with the full data "
            "sets: name the folder of these in BOOK_DATA to compare.")


def compared_and_exempt_cells():
    """Return how many code cells print anything, and how many of them nbval runs without comparing."""
    cells = [cell for slug in CHAPTERS for cell in read_notebook("en", slug).cells
             if cell.cell_type == "code" and cell.outputs and cell.id != "run-report"]
    return len(cells), sum("nbval-ignore-output" in cell.metadata.get("tags", []) for cell in cells)


def read_notebook(edition, slug):
    """Return a chapter's notebook of one edition."""
    return nbformat.read(BOOK / edition / f"{slug}.ipynb", as_version=4)


def pages():
    """Yield (edition, slug, Markdown cells or the page's text as one cell, all cells) for each page of both editions."""
    for edition in ("en", "zh"):
        for path in sorted((BOOK / edition).iterdir()):
            if path.suffix == ".ipynb":
                cells = nbformat.read(path, as_version=4).cells
                yield edition, path.stem, [cell.source for cell in cells if cell.cell_type == "markdown"], cells
            elif path.suffix == ".md":
                yield edition, path.stem, [path.read_text("utf8")], []


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The whole site, built afresh with warnings as errors; or the built site in the folder that BOOK_SITE names.

    Where no repository is known it is built for one that does not exist, so that its buttons are tested.
    """
    if "BOOK_SITE" in os.environ:
        return Path(os.environ["BOOK_SITE"]).resolve()
    folder = tmp_path_factory.mktemp("build") / "site"
    result = subprocess.run([sys.executable, str(ROOT / "tools" / "build_site.py"), "--output", str(folder)],
                            capture_output=True, text=True, encoding="utf8", env={"GITHUB_REPOSITORY": "nobody/landing-large-models", **os.environ})
    assert result.returncode == 0, result.stderr
    return folder
