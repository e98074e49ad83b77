"""Make the record of the chapter `scaling-law` with the chapter's own cells.

    .venv/bin/python benchmarks/scaling_law.py FILE PART ...

The parts, in the order in which they were run and committed: `tune` (a learning rate for each width), `grid` (six widths,
three budgets, three seeds), `predict` (what the largest training will give, written before it is run), `target` (that
training) and `rates` (half and twice the chosen rate in long trainings). Each training is written to FILE as soon as it
ends, and one that FILE holds is not run again. Another processor trains slightly different weights.
"""

import datetime
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

from bookkit.editions import run_cells

CELLS = "text-load text-windows family-model family-count train-schedule train-function".split()
LAW = "points law-terms law-fit interval-errors".split()
WIDTHS = (12, 16, 24, 32, 48, 64)
BUDGETS = (5e9, 1e10, 2e10)
RATES = (0.004, 0.008, 0.016, 0.032, 0.064)
TARGET = {"d": 96, "C": 8e10}


def chapter():
    """The names that the chapter's cells define."""
    names = {}
    run_cells("scaling-law", ["setup", *CELLS], names)
    return names


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


class Record:
    def __init__(self, file):
        self.path = Path(file)
        self.all = json.loads(self.path.read_text("utf8")) if self.path.exists() else {}

    def write(self):
        self.path.write_text(json.dumps(self.all, indent=1) + "\n", "utf8")

    def add(self, part, key, measure):
        """Append {**key, **measure()} to a part, unless it holds `key` already."""
        rows = self.all.setdefault(part, [])
        if not any(key.items() <= row.items() for row in rows):
            rows.append({**key, **measure()})
            self.write()
            print(part, rows[-1], flush=True)


def measured(names, d, D, rate, seed, text):
    begun = time.process_time()
    model = names["train"](d, D, rate, seed)
    seconds = time.process_time() - begun
    loss = names["bits"](model, names[f"x_{text}"], names[f"y_{text}"])
    return {"loss": round(float(loss), 4), "seconds": round(seconds, 1)}


def main(file, *parts):
    record, names = Record(file), chapter()
    import tensorflow

    record.all |= {
        "machine": processor(),
        "date": datetime.date.today().isoformat(),
        "versions": {"tensorflow": tensorflow.__version__, "keras": names["keras"].__version__},
    }
    size_of = names["size_of"]
    names["train"](12, 4096, 0.001, 0)  # what TensorFlow does once in a process is not to be timed below

    def tune(d):
        for rate in RATES:
            record.add(
                "tuning",
                {"d": d, "rate": rate},
                lambda d=d, rate=rate: measured(names, d, BUDGETS[1] / size_of(d)[1], rate, 100, "validation"),
            )
        rows = [row for row in record.all["tuning"] if row["d"] == d]
        record.all.setdefault("rates", {})[str(d)] = min(rows, key=lambda row: row["loss"])["rate"]

    def runs(part, d, C, factor=1.0):
        rate = record.all["rates"][str(d)] * factor
        D = C / size_of(d)[1]
        for seed in range(3):
            record.add(
                part,
                {"C": C, "d": d, "rate": rate, "seed": seed},
                lambda d=d, D=D, rate=rate, seed=seed: measured(names, d, D, rate, seed, "test"),
            )

    if "tune" in parts:
        for d in (*WIDTHS, TARGET["d"]):
            tune(d)
    if "grid" in parts:
        for C in BUDGETS:
            for d in WIDTHS:
                runs("runs", d, C)
    if "predict" in parts:
        assert "target" not in record.all, "the prediction comes before the training"
        samples = [
            [row["loss"] for row in record.all["runs"] if (row["C"], row["d"]) == (C, d)]
            for C in BUDGETS
            for d in WIDTHS
        ]
        names["samples"] = np.array(samples)
        names["points"] = [(C, d) for C in BUDGETS for d in WIDTHS]
        run_cells("scaling-law", LAW, names)
        N_new, flop_each = size_of(TARGET["d"])
        D_new = TARGET["C"] / flop_each
        loss = names["loss"][:, None]
        found = names["prediction_errors"](loss, N_new, D_new, 4000, np.random.default_rng(0))
        low, high = names["interval_of"](*found)
        record.all["prediction"] = {
            **TARGET,
            "predicted": round(float(found[0][0]), 3),
            "low": round(float(low[0]), 3),
            "high": round(float(high[0]), 3),
        }
        print(record.all["prediction"])
    if "target" in parts:
        assert "prediction" in record.all
        runs("target", **TARGET)
    if "rates" in parts:
        for d, C in ((16, 2e10), (48, 2e10)):
            for factor in (0.5, 2.0):
                runs("rate_check", d, C, factor)
    record.write()


if __name__ == "__main__":
    main(*sys.argv[1:])
