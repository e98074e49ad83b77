"""Measurements that took longer than a chapter may, made on an idle machine and committed."""

import json
from pathlib import Path


def load_benchmark():
    """The committed record of `benchmarks/image_networks.py`: the articles' networks and the book's, side by side.

    Returns
    -------
    dict
        "machine", "date", "versions", "peak_gflops" (per dtype, 1e9 floating-point operations a second), "runs": a list
        of dicts with "data", "network" ("A1", "A2" or "book"), "seed", "parameters", and, one entry per evaluation,
        "epochs", "seconds" (of training so far), "test_accuracy"; "final_accuracy" (with the network's own test-time
        averaging) and "gflops" (1e9 counted operations a second).
    """
    record = json.loads(Path(__file__).with_name("image_networks.json").read_text("utf8"))
    print(f"Benchmark record: {record['machine']}, TensorFlow {record['versions']['tensorflow']}, {record['date']}")
    return record
