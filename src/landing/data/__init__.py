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

import importlib

# Each loader lives in a module of its own, which is imported when the loader is first asked for: a chapter's proof then
# depends on the loaders that it uses, and on no other.
_MODULES = {
    "load_autompg": "cars",
    "AUTOMPG_COLUMNS": "cars",
    "load_mnist": "digits",
    "load_cifar10": "photographs",
    "load_sentiment": "reviews",
    "load_poems": "texts",
    "load_plays": "texts",
    "load_parallel": "texts",
    "load_book_passages": "passages",
    "load_book_questions": "passages",
    "DataError": "files",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__():
    return sorted([*globals(), *_MODULES])
