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


def load_language_tasks():
    """Questions for a language model in English and Chinese, written for this book: the same 60 in both languages.

    Returns
    -------
    examples, items
        `examples[language][kind]` is a list of two pairs, question and answer, that are no items. `items` is a list of 120
        dicts with "kind" ("facts", "arithmetic", "sentiment" or "instructions"), "number" (1 to 15; the same number is the
        same question in the other language), "language" ("en" or "zh"), "question" and "answers" (all that are accepted,
        when capitals, blanks around and a full stop at the end do not count).
    """
    tasks = json.loads(Path(__file__).with_name("language_tasks.json").read_text("utf8"))
    print(f"Language tasks: {len(tasks['items'])} questions, written for this book")
    return tasks["examples"], tasks["items"]


def load_pytorch_results():
    """What the PyTorch programs of the appendix `pytorch-to-keras` returned: the record of `benchmarks/pytorch_programs.py`.

    Returns
    -------
    dict
        A program's name in the appendix: what it returned, as numbers, text, lists and dicts of these.
    """
    record = json.loads(Path(__file__).with_name("pytorch_programs.json").read_text("utf8"))
    print(f"PyTorch programs on record: torch {record['torch']}, {record['date']}")
    return record["results"]
