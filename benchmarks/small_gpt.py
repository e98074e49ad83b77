"""Train the two small GPTs that the book ships, with the cells of the chapter `mini-gpt` and more passes through the text.

    .venv/bin/python benchmarks/small_gpt.py poems|plays FOLDER [PASSES DROPOUT [D DEPTH HEADS RATE]]

Writes NAME.keras and NAME.json into FOLDER and prints the validation perplexity. To publish, copy both to
src/landing/models and run the chapters that read them. Another processor trains slightly different weights.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np

from bookkit.editions import run_cells
from landing import saving

CELLS = "poems-load poems-rows plays-tokens plays-rows attention block position make-gpt token-bits compile".split()
SETTINGS = {  # passes, dropout, d, depth, heads, learning rate, batch size
    "poems": (12, 0.1, 96, 4, 3, 0.003, 32),
    "plays": (2, 0.0, 128, 4, 4, 0.003, 8),
}


def chapter(skip):
    """The names that the chapter's cells define; cells whose id begins with `skip` are left out."""
    names = {}
    run_cells("mini-gpt", ["setup", *(name for name in CELLS if not name.startswith(skip))], names)
    return names


def main(which, folder, *settings):
    passes, dropout, d, depth, heads, rate, batch_size = [
        type(known)(new) for known, new in zip(SETTINGS[which], [*settings, *SETTINGS[which][len(settings) :]])
    ]
    names = chapter(skip="plays" if which == "poems" else "none")
    if which == "poems":
        x, y = names["x_poems"], names["y_poems"]
        x_new, y_new = names["poem_rows"](names["poems_validation"])
        size, length = len(names["symbols"]), 33
    else:
        x, y = names["x_plays"], names["y_plays"]
        ids = np.array(names["bpe"].encode(names["plays_validation"]).ids)
        x_new, y_new = names["play_rows"](ids)
        size, length = names["bpe"].get_vocab_size(), 128
    keras.utils.set_random_seed(0)
    model = names["make_gpt"](size, length, d, depth, heads, dropout)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(x)) for _ in range(passes)])
    steps = len(order) // batch_size
    names["compile_gpt"](model, steps, rate, warm_up=steps // 20)
    begun, part = time.process_time(), steps // 8 * batch_size
    for number in range(8):
        chosen = order[number * part : (number + 1) * part]
        model.fit(x[chosen], y[chosen], batch_size=batch_size, shuffle=False, verbose=0)
        found = names["perplexity"](model, x_new, y_new)
        seconds = time.process_time() - begun
        print(f"{number + 1} of 8: perplexity {found:.1f}, {seconds:.0f} processor seconds", flush=True)
    lean = names["make_gpt"](size, length, d, depth, heads)
    lean.set_weights(model.get_weights())
    file = Path(folder) / f"{which}.keras"
    lean.save(file)
    saving.make_portable(file)
    if which == "poems":
        file.with_suffix(".json").write_text(json.dumps(names["symbols"], ensure_ascii=False), "utf8")
    else:
        names["bpe"].save(str(file.with_suffix(".json")), pretty=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
