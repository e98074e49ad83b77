"""Settings for all tests. It stands at the top, so that they also hold for `pytest book/en/backprop.ipynb`."""

import os
import sys
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parent)
)  # so that `bookkit` is found by `pytest` as by `python -m pytest`

pytest_plugins = ["bookkit.notebooks"]

# Notebooks run on the CPU, and on the packaged data unless they name the full sets (bookkit/notebooks.py). The tests of
# the loaders for the full sets run where BOOK_DATA names them.
if "BOOK_DATA" in os.environ:
    os.environ["LANDING_FULL_DATA"] = os.environ.pop("BOOK_DATA")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Where pytest-xdist runs two notebooks side by side, each gets one thread: threads that wait for each other's cores cost
# more than they bring.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(
        TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"
    )
