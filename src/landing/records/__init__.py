"""Measurements that took longer than a chapter may, made on an idle machine and committed."""

import json
from pathlib import Path


def _read(name):
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text("utf8"))


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
    record = _read("image_networks")
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
    tasks = _read("language_tasks")
    print(f"Language tasks: {len(tasks['items'])} questions, written for this book")
    return tasks["examples"], tasks["items"]


def load_local_model():
    """The committed record of `benchmarks/local_model.py`: what a small open language model says to review sentences.

    Returns
    -------
    dict
        "machine", "date", "versions", "template" (the text around a sentence), "tokens_a_message" (mean),
        "tokens_per_second" (read by one processor core), and two lists of scores, "train" (for the first sentences of the
        training part of `landing.data.load_sentiment("en")`) and "test" (for all of the test part): the log-probability of
        the word " negative" minus that of " positive" as the next token.
    """
    record = _read("local_model")
    print(f"Record of SmolLM2-135M on {len(record['train'])} + {len(record['test']):,} sentences, {record['date']}")
    return record


def load_language_answers():
    """What the open model of part IV answered to the questions of `load_language_tasks`: recorded by the chapter `open-model`.

    Returns
    -------
    dict
        "English text", "English conversation" and "Chinese text": 60 answers each, in the order of the questions.
    """
    record = _read("language_answers")
    print(f"Recorded answers: {record['model']}, {record['engine']}")
    return record["answers"]


def load_pytorch_results():
    """What the PyTorch programs of the appendix `pytorch-to-keras` returned: the record of `benchmarks/pytorch_programs.py`.

    Returns
    -------
    dict
        A program's name in the appendix: what it returned, as numbers, text, lists and dicts of these.
    """
    record = _read("pytorch_programs")
    print(f"PyTorch programs on record: torch {record['torch']}, {record['date']}")
    return record["results"]


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
    record = _read("scaling_law")
    count = len(record["tuning"]) + len(record["runs"]) + len(record["target"])
    print(f"Scaling record: {count} trainings, {record['machine']}, {record['date']}")
    return record
