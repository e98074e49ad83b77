"""Settings shared by all tests: nbval's policy, and the built site that the site and browser tests look at."""
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import nbval.plugin
import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
CHAPTERS = sorted(path.stem for path in (BOOK / "en").glob("*.ipynb"))
sys.path[:0] = [str(ROOT / "tools"), str(BOOK / "extension")]

# The committed outputs were made with the packaged data, on the CPU, as a reader without any set-up has them.
# The tests of the loaders for the full sets (test_data.py) run where BOOK_DATA names them.
if "BOOK_DATA" in os.environ:
    os.environ["LANDING_FULL_DATA"] = os.environ.pop("BOOK_DATA")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# TensorFlow writes to stderr what it finds on start-up (processor, drivers), which differs between machines.
# Committed notebooks hold no stderr at all (test_editions.py); nbval must not compare what a run adds there.
original_init = nbval.plugin.IPyNbFile.__init__


def init_without_stderr(self, *arguments, **options):
    original_init(self, *arguments, **options)
    self.skip_compare = (*self.skip_compare, "stderr")


nbval.plugin.IPyNbFile.__init__ = init_without_stderr


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
    """The whole site, built afresh with warnings as errors."""
    folder = tmp_path_factory.mktemp("build") / "site"
    result = subprocess.run([sys.executable, str(ROOT / "tools" / "build_site.py"), "--output", str(folder)],
                            capture_output=True, text=True, encoding="utf8")
    assert result.returncode == 0, result.stderr
    return folder
