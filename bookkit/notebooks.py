"""How pytest proves a notebook: nbval's collector with the book's rules, and the proof that a green run leaves.

A pytest plugin (`conftest.py` loads it). The Chinese notebooks are shown equal to the English ones by other tests, so
only English ones are executed.
"""

import base64
import functools
import io
import json
import os
import re
import time

import nbformat
import numpy as np
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile
from PIL import Image

from bookkit import ROOT, proof, trials

# The largest root mean square of the differences between two pictures of the same thing, in grey levels of 0 to 255.
# The same code on one machine draws the same bytes; a line that moves by one rounding error in its 7th digit changes
# single pixels at edges (0.1 to 0.6 seen); another curve, label or colour changes more than 3.
PICTURE_TOLERANCE = 1.5

MODULES = 'import json as _json, sys as _sys; print("MODULES" + _json.dumps(sorted(_sys.modules)))'


def pixels(picture):
    """Return a PNG (base64 text) as an array of shape (height, width, 4), 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA"), dtype=np.float32)


def picture_difference(one, other):
    """Return the root mean square difference of two PNG pictures in grey levels, infinity if their sizes differ."""
    if one == other:
        return 0.0
    one, other = pixels(one), pixels(other)
    return float(np.sqrt(np.mean((one - other) ** 2))) if one.shape == other.shape else float("inf")


def pictures_of(outputs):
    """Return the PNG pictures of a cell's outputs, in order."""
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


@functools.cache
def provenance_here():
    """Return the lines that the loaders print for the full sets of this machine."""
    import contextlib

    from landing import data

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        if "LANDING_FULL_DATA" in os.environ:
            patch.setenv("BOOK_DATA", os.environ["LANDING_FULL_DATA"])
            for load in (data.load_mnist, data.load_cifar10):
                load()
    return set(proof.PROVENANCE.findall(printed.getvalue()))


class BookCell(IPyNbCell):
    """A code cell, named by its id, whose pictures are compared as well."""

    def compare_outputs(self, test, ref, skip_compare=None):
        if not super().compare_outputs(test, ref, skip_compare):
            return False
        drawn, stored = pictures_of(test), pictures_of(ref)
        if len(drawn) != len(stored):
            self.comparison_traceback.append(f"{len(drawn)} pictures were drawn, {len(stored)} are stored")
            return False
        for number, pair in enumerate(zip(drawn, stored, strict=True), 1):
            difference = picture_difference(*pair)
            if difference > PICTURE_TOLERANCE:
                self.comparison_traceback.append(
                    f"picture {number} differs from the stored one: root mean square {difference:.2f} of 255, "
                    f"at most {PICTURE_TOLERANCE} allowed"
                )
                return False
        return True

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: {self.name}"


class BookNotebook(IPyNbFile):
    """An English notebook.

    - TensorFlow writes to stderr what it finds on start-up, which differs between machines. Committed notebooks hold no
      stderr at all (tests/text/test_editions.py); what a run adds there is not compared.
    - A notebook whose committed outputs name a full data set is run on that set and compared, if this machine has the
      same one. If not, it is run on the packaged default: every cell and every check in it, but its outputs are other ones.
    - After its cells, its checks are tried on stubs and planted bugs (bookkit/trials.py).
    - When all of that has passed, the run leaves a proof (bookkit/proof.py); a run with a fault takes an earlier one away.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.skip_compare = (*self.skip_compare, "stderr")
        cells = nbformat.read(self.path, as_version=4).cells
        named = proof.full_data_named_by(cells)
        self.full_data = bool(named) and named <= provenance_here()
        self.compared = self.full_data or not named
        self.expected, self.passed, self.failed = [], set(), False

    def collect(self):
        self.expected = []
        self.compare_outputs = self.compared
        for cell in super().collect():
            yield self.expect(
                BookCell.from_parent(
                    self, name=cell.cell.id, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
                )
            )
        for trial in trials.collect_trials(self):
            yield self.expect(trial)

    def expect(self, item):
        self.expected.append(item.name)
        return item

    def note(self, item, report):
        """Take in the report of one of this notebook's items."""
        self.failed = self.failed or report.failed or hasattr(report, "wasxfail")
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.passed.add(item.name)

    def setup(self):
        self.began = time.monotonic()
        with pytest.MonkeyPatch.context() as patch:
            # The package of this checkout, whatever is installed.
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])))
            if self.full_data:
                patch.setenv("BOOK_DATA", os.environ["LANDING_FULL_DATA"])
            super().setup()

    def teardown(self):
        green = not self.failed and self.expected and self.passed == set(self.expected)
        modules = self.loaded_modules() if green else []
        super().teardown()
        if green:
            proof.write(self.path, modules, time.monotonic() - self.began)
        elif self.failed:
            proof.discard(self.path)

    def loaded_modules(self):
        """Return the names of the modules that the kernel has loaded."""
        printed = trials.execute(self.kernel, MODULES, 60)
        return json.loads(re.search(r"^MODULES(.*)$", printed, re.M)[1])


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".ipynb" and file_path.parent.name == "en":
        return BookNotebook.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if isinstance(item.parent, BookNotebook):
        item.parent.note(item, report)
    return report


def pytest_terminal_summary(terminalreporter):
    reports = [report for found in terminalreporter.stats.values() for report in found]
    planted = trials.summary(reports)
    if planted:
        terminalreporter.write_line(planted)
