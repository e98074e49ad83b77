"""Models that the book itself made and ships."""

from pathlib import Path


def digit_model_path():
    """The path of the committed digit model, which the deployment chapters use.

    Returns
    -------
    pathlib.Path
        `digits.keras`: float32, without optimizer state. Input (batch, 28, 28, 1), pixels / 255; output (batch, 10),
        logits. Made by the chapter `cnn-mnist` from the full MNIST training set without the 1,000 digits that
        `load_mnist("packaged")` returns as its test set: it was neither trained on them nor chosen by them.
    """
    return Path(__file__).with_name("digits.keras")


def small_gpt_paths(name):
    """The paths of a committed small GPT and of its vocabulary.

    Parameters
    ----------
    name
        "poems", for Tang quatrains, or "plays", for Shakespeare.

    Returns
    -------
    model, vocabulary
        pathlib.Path each. `NAME.keras`: float32, without optimizer state; import `landing.models.gpt` before
        `keras.models.load_model` reads it. Input (batch, length) integers, at most 33 of a poem, 128 of a play; output
        (batch, length, tokens), the logits of the token that follows each. `poems.json`: the list of tokens, in which 0
        is padding, 1 a rare character, 2 the edge of a poem. `plays.json`: a file of the package tokenizers. Made by
        `benchmarks/small_gpt.py` with the cells of the chapter `mini-gpt` from what `load_poems()` and `load_plays()`
        return as training text; chosen by the validation texts; the test texts were not used.

    Raises
    ------
    ValueError for another name.
    """
    if name not in ("poems", "plays"):
        raise ValueError(f"there is no small GPT {name!r}, only 'poems' and 'plays'")
    return Path(__file__).with_name(f"{name}.keras"), Path(__file__).with_name(f"{name}.json")
