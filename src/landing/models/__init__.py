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
