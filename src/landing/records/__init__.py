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


def load_scaling_law():
    """The committed record of `benchmarks/scaling_law.py`: small language models of several widths at equal computation.

    Returns
    -------
    dict
        "machine", "date", "versions"; "tuning", a list of dicts with "d" (width), "rate" (learning rate) and "loss" (bits
        a character on Julius Caesar), and "rates", the best rate of each width; "runs", a list of dicts with "C" (FLOP of
        the training), "d", "rate", "seed", "loss" (bits a character on Macbeth) and "seconds" (of the processor, for the
        training); "prediction", what the runs foretell of the largest training ("predicted", "low", "high"), written before
        that was run; "target", its runs; "rate_check", runs with half and twice the chosen rate.
    """
    record = json.loads(Path(__file__).with_name("scaling_law.json").read_text("utf8"))
    count = len(record["tuning"]) + len(record["runs"]) + len(record["target"])
    print(f"Scaling record: {count} trainings, {record['machine']}, {record['date']}")
    return record
