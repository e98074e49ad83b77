"""Ask the packaged open language model about the review sentences of `choosing-scenarios`, and record what it says.

    python benchmarks/local_model.py                       # 600 training and all test sentences: about ten minutes
    python benchmarks/local_model.py --record FILE.json    # also write the record that the chapter shows

Each sentence stands in the chapter's template, without any solved example. The score is the log-probability of the word
" negative" minus that of " positive" as the next token; it is computed by llama.cpp (xllamacpp) from the 4-bit file as it
is shipped. The clock counts processor seconds of whole requests, one after the other, with one thread, so that other
work on the machine hardly matters. Nothing is chosen here: the chapter chooses its cut on the training sentences and
judges it on the test sentences.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # the engine's threads must not spin; must precede the engine

import argparse
import datetime
import importlib.metadata
import json
import platform
import time
from pathlib import Path

import numpy as np
import xllamacpp

from landing import data
from landing.models.packaged import packaged_path

TEMPLATE = "Review: {}\nSentiment:"
TRAINING = 600  # sentences, the first of the training part


def start_engine():
    """The packaged model behind llama.cpp, one request at a time."""
    options = xllamacpp.CommonParams()
    options.model.path = str(packaged_path("open_model"))
    options.n_ctx = 512
    options.n_parallel = 1
    options.verbosity = -1
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(options)


def score(engine, sentence):
    """Log-probability of " negative" minus that of " positive" behind the sentence, and the tokens read for it.

    Raises
    ------
    ValueError
        If one of the two words is not among the 2,000 most probable.
    """
    request = {"prompt": TEMPLATE.format(sentence), "max_tokens": 1, "temperature": 0, "logprobs": 2_000}
    answer = engine.handle_completions(request | {"cache_prompt": False})
    top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    found = {item["token"]: item["logprob"] for item in top}
    if not {" negative", " positive"} <= set(found):
        raise ValueError(f"The words are not among the 2,000 most probable after: {sentence}")
    return found[" negative"] - found[" positive"], answer["usage"]["prompt_tokens"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, help="write the record to this file")
    parser.add_argument("--first", type=int, help="only so many sentences of each part, to try it")
    arguments = parser.parse_args()
    (texts_train, _), (texts_test, y_test) = data.load_sentiment("en")
    parts = {"train": texts_train[:TRAINING], "test": texts_test}
    engine = start_engine()
    score(engine, "warm up")
    record = {
        "machine": f"{platform.machine()}, one thread",
        "date": datetime.date.today().isoformat(),
        "versions": {"xllamacpp": importlib.metadata.version("xllamacpp")},
        "template": TEMPLATE,
    }
    seconds, tokens, count = 0.0, 0, 0
    for part, sentences in parts.items():
        start = time.process_time()
        found = [score(engine, sentence) for sentence in sentences[: arguments.first]]
        seconds += time.process_time() - start
        record[part] = [round(difference, 2) for difference, _ in found]
        tokens += sum(read for _, read in found)
        count += len(found)
    record["tokens_a_message"] = round(tokens / count, 1)
    record["tokens_per_second"] = round(tokens / seconds)
    flags = np.array(record["test"]) > 0
    right = flags == (y_test[: len(flags)] == 0)
    print(
        f"{count:,} sentences of {record['tokens_a_message']} tokens, {record['tokens_per_second']} tokens a processor second"
    )
    print(f"right on the test part, with the cut at zero: {right.mean():.3f}")
    if arguments.record:
        arguments.record.write_text(json.dumps(record) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
