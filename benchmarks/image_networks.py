"""Train the source articles' image networks and the book's side by side, and print accuracy against seconds.

    python benchmarks/image_networks.py                       # both data sets, three seeds: about 50 minutes
    python benchmarks/image_networks.py --data MNIST --seeds 1
    python benchmarks/image_networks.py --record FILE.json    # also write the record that the chapters show

Run it on a machine that does nothing else: both networks of a pair take turns on the same cores, so a disturbance hits
both, but seconds are seconds. It needs the full data sets (BOOK_DATA, see `landing.data`); with the packaged defaults it
runs as well, and the loaders' lines say so.

What is compared
    MNIST      A2's network as published (Adam, batch 128, 15 epochs) with the network of the chapter cnn-mnist, which
               gets 60 seconds.
    CIFAR-10   A1's network of its section 5.2 with the flatten size mended (Adam, batch 100, dropout) and the network of
               the chapter cnn-cifar10, both for 5 minutes.

What counts as training time: the steps from the first one on, with TensorFlow's tracing of the first step and with any
waiting for augmented images. What does not: loading data and evaluation. The book's learning rates follow the clock, so
that the training ends on the second. Both networks are trained by the same loop of `train_on_batch`. (`fit` waits, after
its last step, for the end of TensorFlow's input pipeline, on some machines as long again as the training itself.)

No choice was made on the test sets: the recipes were chosen on parts of the training sets. The 1,000 MNIST digits that
come packaged as a test set belong to the full training set; the book's network is trained without them, because the
deployed model is tested on them.
"""

import os

os.environ.setdefault(
    "TF_ENABLE_ONEDNN_OPTS", "1"
)  # off by default on processors without AVX-512; must precede TensorFlow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import datetime
import itertools
import json
import platform
import queue
import threading
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from landing import data

BUDGET = {
    "MNIST": 59,
    "CIFAR-10": 299,
}  # seconds of training; the last step may end a little later, within the full minutes
EVALUATIONS = {"MNIST": 10, "CIFAR-10": 3}  # points on each curve
A2_EPOCHS = 15


# The articles' networks --------------------------------------------------------------------------------------------------


def a2_network():
    """A2, section 5.2: two convolutions on 28x28 grey images, 121,930 weights."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


def a1_network():
    """A1, section 5.2: two convolutions on 32x32 colour images; Flatten finds the size that the article got wrong."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Dropout(0.5),
            layers.Conv2D(128, 3, activation="relu"),
            layers.Dropout(0.5),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


# The book's networks -----------------------------------------------------------------------------------------------------


def digit_network():
    """The network of cnn-mnist: convolution, pooling, normalisation, ReLU; 29,402 weights."""
    inputs = x = keras.Input((28, 28, 1))
    for width, pool in ((16, True), (32, True), (64, False)):
        x = layers.Conv2D(width, 3, use_bias=False)(x)
        x = layers.MaxPooling2D()(x) if pool else x
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.Dense(10, dtype="float32")(layers.Flatten()(x)))


def whitening_filters(images, size=2, epsilon=5e-4):
    """Filters (size, size, 3, 2 * 3 * size**2) whose outputs on patches of `images` are uncorrelated, each with its negative.

    The first layer of airbench (Keller Jordan, arXiv:2404.00498). epsilon keeps the weakest directions from being blown up.
    """
    patches = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::3, ::3]
    patches = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 3 * size * size)
    values, vectors = np.linalg.eigh(np.cov(patches.T))
    filters = (vectors / np.sqrt(values + epsilon)).T[::-1]
    return np.concatenate([filters, -filters]).reshape(-1, size, size, 3).transpose(1, 2, 3, 0).astype("float32")


def photograph_network(images):
    """The network of cnn-cifar10: a fixed whitening layer computed from `images`, three blocks of two convolutions."""
    filters = whitening_filters(images)
    inputs = keras.Input((32, 32, 3))
    whitening = layers.Conv2D(filters.shape[-1], filters.shape[0], use_bias=False, trainable=False)
    x = layers.Activation(gelu)(whitening(inputs))
    whitening.set_weights([filters])
    for width in (32, 64, 128):
        for pool in (True, False):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.MaxPooling2D()(x) if pool else x
            x = layers.BatchNormalization(momentum=0.6, scale=False, epsilon=1e-5)(x)
            x = layers.Activation(gelu)(x)
    logits = layers.Dense(10, use_bias=False, dtype="float32")(layers.GlobalMaxPooling2D()(x))
    return keras.Model(inputs, layers.Rescaling(1 / 9, dtype="float32")(logits))


def gelu(x):
    return ops.gelu(x, approximate=True)


def orthogonalized(matrix, steps=3):
    """Push the singular values of `matrix` towards 1 by a Newton-Schulz iteration (Jordan and others, Muon, 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else ops.transpose(matrix)
    x = x / (ops.sqrt(ops.sum(x * x)) + 1e-7)
    for _ in range(steps):
        gram = x @ ops.transpose(x)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else ops.transpose(x)


class ConvolutionMuon(keras.optimizers.SGD):
    """Muon for convolution kernels, whose norm is kept fixed; momentum SGD for all other weights."""

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.momentums[self._get_variable_index(variable)]
        if len(variable.shape) != 4:
            velocity.assign(0.85 * velocity + gradient)
            variable.assign_sub(learning_rate * (gradient + 0.85 * velocity))
            return
        velocity.assign(self.momentum * velocity + gradient)
        direction = orthogonalized(ops.reshape(gradient + self.momentum * velocity, (-1, variable.shape[-1])))
        kernel = variable * (variable.shape[-1] ** 0.5 / ops.sqrt(ops.sum(ops.square(variable))))
        variable.assign(kernel - learning_rate * ops.reshape(direction, variable.shape))


def ramp(done, peak, warm_up):
    """The learning rate when the share `done` of the time has passed: linear from 0 to `peak` and back to 0."""
    rise = done / warm_up if warm_up else 1.0
    return peak * max(min(rise, (1 - done) / (1 - warm_up)), 0.0)


# Augmentation: a whole epoch in a few vectorised calls ----------------------------------------------------------------------


def random_affine(images, generator):
    """Turn (12 degrees), shear (0.15), scale (12 %) and shift (2 pixels) each image (n, 28, 28, 1) at random."""
    n, middle = len(images), (images.shape[1] - 1) / 2
    angle, shear = np.deg2rad(generator.uniform(-12, 12, n)), generator.uniform(-0.15, 0.15, n)
    scale = 1 + generator.uniform(-0.12, 0.12, (2, n))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.stack(
        [
            np.stack([cosine, shear * cosine - sine], -1) * scale[0, :, None],
            np.stack([sine, cosine + shear * sine], -1) * scale[1, :, None],
        ],
        1,
    )
    offset = middle - matrix @ np.full(2, middle) + generator.uniform(-2, 2, (n, 2))
    rows = np.concatenate([matrix, offset[..., None]], -1).reshape(n, 6)
    transforms = np.concatenate([rows, np.zeros((n, 2))], -1).astype("float32")
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    ).numpy()


def random_crops(images, generator, margin=2):
    """Shift each image by up to `margin` pixels; the border is mirrored."""
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "reflect")
    size, shifted = images.shape[1], np.empty_like(images)
    down, right = generator.integers(0, 2 * margin + 1, (2, len(images)))
    for i in range(2 * margin + 1):
        for j in range(2 * margin + 1):
            chosen = (down == i) & (right == j)
            shifted[chosen] = padded[chosen, i : i + size, j : j + size]
    return shifted


def digit_epochs(images, labels, generator, run, plain_from=0.85):
    """Yield shuffled (images, labels), epoch after epoch, augmented until the share `plain_from` of the run's time has passed."""
    while True:
        order = generator.permutation(len(images))
        yield (images[order] if run.done() >= plain_from else random_affine(images[order], generator)), labels[order]


def photograph_epochs(images, labels, generator):
    """Yield shuffled, shifted epochs; every image is mirrored in every second epoch, half of them first (alternating flips)."""
    flipped_first = generator.random(len(images)) < 0.5
    for epoch in itertools.count():
        order = generator.permutation(len(images))
        shifted, flip = random_crops(images, generator), flipped_first ^ (epoch % 2 == 1)
        shifted[flip] = shifted[flip, :, ::-1]
        yield shifted[order], labels[order]


def plain_epochs(images, labels, generator):
    """Yield shuffled epochs, as `fit` does."""
    while True:
        order = generator.permutation(len(images))
        yield images[order], labels[order]


def prepared_ahead(epochs):
    """Yield the items of an endless generator that runs in a thread, one item ahead; the thread ends when this generator is closed."""
    ready, closed = queue.Queue(1), threading.Event()

    def work():
        for item in epochs:
            ready.put(item)
            if closed.is_set():
                return

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            yield ready.get()
    finally:
        closed.set()
        ready.get()  # the thread may wait for room


# Measuring -----------------------------------------------------------------------------------------------------------------


def peak_gflops(dtype, size=2048, repetitions=8, trials=3):
    """The fastest matrix product (size x size) of `trials`, in 1e9 floating-point operations a second."""
    a, b = (ops.cast(keras.random.normal((size, size), seed=seed), dtype) for seed in (0, 1))
    product = tf.function(lambda a, b: a @ b)
    product(a, b).numpy()
    best = 0.0
    for _ in range(trials):
        start = time.perf_counter()
        for _ in range(repetitions):
            result = product(a, b)
        result.numpy()
        best = max(best, repetitions * 2 * size**3 / (time.perf_counter() - start))
    return best / 1e9


def fastest_precision():
    """'mixed_bfloat16' if this processor convolves faster in bfloat16 than in float32, else 'float32'."""
    seconds = {}
    for dtype in ("float32", "bfloat16"):
        images = ops.cast(keras.random.normal((256, 14, 14, 32), seed=0), dtype)
        kernel = ops.cast(keras.random.normal((3, 3, 32, 64), seed=1), dtype)
        convolve = tf.function(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"))
        convolve(images, kernel).numpy()
        start = time.perf_counter()
        for _ in range(5):
            convolve(images, kernel).numpy()
        seconds[dtype] = time.perf_counter() - start
    return "mixed_bfloat16" if seconds["bfloat16"] < seconds["float32"] else "float32"


def flop_per_example(network):
    """Floating-point operations of one training step on one example, counted from the shapes (2 a multiply-add).

    Convolutions and dense layers only: forward, the gradient of the weights where they are trained, and the gradient of
    the input where a layer below is trained.
    """
    total, below = 0, False
    for layer in network.layers:
        if isinstance(layer, (layers.Conv2D, layers.Dense)):
            positions = np.prod(layer.output.shape[1:-1], dtype=int)  # 1 for a dense layer
            total += 2 * int(positions * np.prod(layer.kernel.shape)) * (1 + layer.trainable + below)
            below = below or layer.trainable
    return total


def accuracy(network, images, labels, views=(lambda x: x,), batch_size=1000):
    """Share of right answers; the logits are averaged over `views` of each image."""
    right = 0
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        logits = sum(ops.convert_to_numpy(network.predict_on_batch(view(part))) for view in views)
        right += int((logits.argmax(1) == labels[start : start + batch_size]).sum())
    return right / len(images)


class Run:
    """One training: a network, its data, and what was measured. `continue_until` goes on where it stopped."""

    def __init__(
        self,
        dataset,
        name,
        seed,
        network,
        batch_size,
        test,
        seconds=np.inf,
        epochs=np.inf,
        rate=None,
        views=None,
        one_hot=False,
    ):
        """Train for `seconds` or `epochs`; `rate` gives the learning rate for the share of the time that has passed."""
        self.network, self.batch_size, self.test, self.views, self.one_hot = network, batch_size, test, views, one_hot
        self.record = {
            "data": dataset,
            "network": name,
            "seed": seed,
            "parameters": network.count_params(),
            "epochs": [],
            "seconds": [],
            "test_accuracy": [],
        }
        self.all_seconds, self.all_epochs, self.rate = seconds, epochs, rate
        self.seconds, self.steps_done, self.steps_an_epoch, self.batches = 0.0, 0, 1, None

    def train_on(self, epochs):
        """Take the batches from this generator of (images, labels)."""

        def batches():
            for images, labels in epochs:
                self.steps_an_epoch = len(images) // self.batch_size
                for step in range(self.steps_an_epoch):
                    rows = slice(step * self.batch_size, (step + 1) * self.batch_size)
                    yield images[rows], (np.eye(10, dtype="float32")[labels[rows]] if self.one_hot else labels[rows])

        self.batches = batches()

    def done(self):
        """The share of the training that has passed."""
        return max(self.seconds / self.all_seconds, self.steps_done / self.steps_an_epoch / self.all_epochs)

    def continue_until(self, share=None, seconds=None):
        """Train until this share of the training is done, or until the run has trained for so many seconds."""
        before, start = self.seconds, time.perf_counter()
        while (self.done() < share) if seconds is None else (self.seconds < seconds):
            if self.rate:
                self.network.optimizer.learning_rate.assign(self.rate(self.done()))
            self.network.train_on_batch(*next(self.batches))
            self.steps_done += 1
            self.seconds = before + time.perf_counter() - start

    def evaluate(self, final=False):
        """Test without averaging, for the curve; at the end also with the network's own averaging."""
        record = self.record
        record["epochs"].append(round(self.steps_done / self.steps_an_epoch, 2))
        record["seconds"].append(round(self.seconds, 1))
        record["test_accuracy"].append(accuracy(self.network, *self.test))
        line = f"{record['epochs'][-1]:6.2f} epochs {self.seconds:6.1f} s  test {record['test_accuracy'][-1]:.2%}"
        if final:
            record["final_accuracy"] = (
                accuracy(self.network, *self.test, self.views) if self.views else record["test_accuracy"][-1]
            )
            flop = flop_per_example(self.network) * self.batch_size * self.steps_done
            record["gflops"] = round(flop / self.seconds / 1e9, 1)
            line += f", {record['final_accuracy']:.2%} as used; {flop:.1e} FLOP, {record['gflops']:.0f} GFLOP/s"
        print(f"{record['data']:9s} {record['network']:5s} seed {record['seed']}  {line}", flush=True)


def sparse_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def held_out_digits_removed(images, labels):
    """The full MNIST training set without the 1,000 digits that are packaged as a test set; the packaged set as it is."""
    if len(images) < 60_000:
        return images, labels
    _, (packaged, _) = data.load_mnist(source="packaged")
    held_out = {image.tobytes() for image in packaged}
    kept = np.array([image.tobytes() not in held_out for image in images])
    return images[kept], labels[kept]


def mnist_pair(arrays, seed, precision):
    """A2's network, in float32 as published, and the book's, ready to train."""
    (x_train, y_train), (x_test, y_test) = arrays

    def scaled(images):
        return images[..., np.newaxis].astype("float32") / 255

    test = scaled(x_test), y_test

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("float32")
    network = a2_network()
    network.compile(keras.optimizers.Adam(), sparse_loss())
    a2 = Run("MNIST", "A2", seed, network, 128, test, epochs=A2_EPOCHS)
    a2.train_on(plain_epochs(scaled(x_train), y_train, np.random.default_rng(seed)))

    keras.config.set_dtype_policy(precision)
    x_train, y_train = held_out_digits_removed(x_train, y_train)
    network = digit_network()
    network.compile(keras.optimizers.Adam(), sparse_loss())
    shifts = [lambda x, shift=shift: np.roll(x, shift, (1, 2)) for shift in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    book = Run(
        "MNIST",
        "book",
        seed,
        network,
        256,
        test,
        seconds=BUDGET["MNIST"],
        views=shifts,
        rate=lambda done: ramp(done, 0.02, 0.25),
    )
    book.train_on(prepared_ahead(digit_epochs(scaled(x_train), y_train, np.random.default_rng(seed), book)))
    return a2, book


def cifar10_pair(arrays, seed, precision):
    """A1's network, in float32 as published, and the book's, ready to train."""
    (x_train, y_train), (x_test, y_test) = arrays
    y_train, y_test = y_train.ravel(), y_test.ravel()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("float32")
    network = a1_network()
    network.compile(keras.optimizers.Adam(), sparse_loss())

    def halved(images):
        return (images.astype("float32") / 255 - 0.5) / 0.5

    a1 = Run("CIFAR-10", "A1", seed, network, 100, (halved(x_test), y_test))
    a1.train_on(plain_epochs(halved(x_train), y_train, np.random.default_rng(seed)))

    keras.config.set_dtype_policy(precision)
    mean, deviation = x_train.mean((0, 1, 2)), x_train.std((0, 1, 2))

    def standardized(images):
        return ((images - mean) / deviation).astype("float32")

    x_train = standardized(x_train)
    network = photograph_network(x_train[:5000])
    network.compile(
        ConvolutionMuon(0.01, momentum=0.6), keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    )
    mirrored = [lambda x: x, lambda x: x[:, :, ::-1]]
    book = Run(
        "CIFAR-10",
        "book",
        seed,
        network,
        256,
        (standardized(x_test), y_test),
        seconds=BUDGET["CIFAR-10"],
        views=mirrored,
        rate=lambda done: ramp(done, 0.09, 0.0),
        one_hot=True,
    )
    book.train_on(prepared_ahead(photograph_epochs(x_train, y_train, np.random.default_rng(seed))))
    return a1, book


DATA = {
    "MNIST": (data.load_mnist, mnist_pair),
    "CIFAR-10": (data.load_cifar10, cifar10_pair),
}  # loader, and what is compared


def compare(dataset, arrays, seed, precision):
    """Train both networks of a pair in turns; return their two records."""
    article, book = DATA[dataset][1](arrays, seed, precision)
    points = EVALUATIONS[dataset]
    for point in range(1, points + 1):
        book.continue_until(share=point / points)
        book.evaluate(final=point == points)
        if dataset == "CIFAR-10":  # the same seconds
            article.continue_until(seconds=book.seconds)
        else:  # the published number of epochs, however long it takes
            article.continue_until(share=point / points)
        article.evaluate(final=point == points)
    return [article.record, book.record]


def summarize(record):
    """Print what the chapters show: final accuracies over seeds, seconds to the article's accuracy, share of the peak."""
    for dataset, article in (("MNIST", "A2"), ("CIFAR-10", "A1")):
        runs = {
            name: [run for run in record["runs"] if run["data"] == dataset and run["network"] == name]
            for name in (article, "book")
        }
        if not runs["book"]:
            continue
        print(f"\n{dataset}, {len(runs['book'])} seeds")
        for name, of_network in runs.items():
            finals = np.array([run["final_accuracy"] for run in of_network])
            share = np.mean([run["gflops"] for run in of_network]) / record["peak_gflops"]["float32"]
            seconds = np.mean([run["seconds"][-1] for run in of_network])
            print(
                f"  {name:5s} {of_network[0]['parameters']:>9,} weights, {seconds:5.0f} s: "
                f"{finals.mean():.2%} +- {finals.std(ddof=min(1, len(finals) - 1)):.2%} "
                f"(least {finals.min():.2%}), {share:.0%} of the float32 peak"
            )
        for theirs, ours in zip(runs[article], runs["book"]):
            if dataset == "MNIST":
                goal = theirs["test_accuracy"][-1]
                first = [
                    next((s for s, a in zip(run["seconds"], run["test_accuracy"]) if a >= goal), None)
                    for run in (theirs, ours)
                ]
                print(
                    f"  seed {ours['seed']}: {goal:.2%} reached first by {article} at {first[0]} s "
                    f"and by the book's network at {first[1]} s; "
                    f"{article} ends there after {theirs['seconds'][-1]} s"
                )
            else:
                print(
                    f"  seed {ours['seed']}: {100 * (ours['final_accuracy'] - theirs['final_accuracy']):.1f} points "
                    f"above {article} in the same seconds"
                )


def processor():
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=list(DATA), action="append", help="one data set only (default: both)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--record", type=Path, help="write (or add to) this JSON file, which landing.records.load_benchmark reads"
    )
    options = parser.parse_args()

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    peaks = {dtype: round(peak_gflops(dtype), 1) for dtype in ("float32", "bfloat16")}
    precision = fastest_precision()
    record = {
        "machine": f"{processor()}, {cores} cores, {precision} for the book's networks",
        "date": str(datetime.date.today()),
        "versions": {"python": platform.python_version(), "keras": keras.__version__, "tensorflow": tf.__version__},
        "peak_gflops": peaks,
        "runs": [],
    }
    if options.record and options.record.exists():
        record["runs"] = json.loads(options.record.read_text("utf8"))["runs"]
    print(
        f"{record['machine']}; matrix product {peaks['float32']} GFLOP/s in float32, {peaks['bfloat16']} in bfloat16",
        flush=True,
    )
    for dataset in options.data or DATA:
        record["runs"] = [run for run in record["runs"] if run["data"] != dataset]
        arrays = DATA[dataset][0]()
        for seed in range(options.seeds):
            record["runs"] += compare(dataset, arrays, seed, precision)
        if options.record:
            whole = options.record.with_suffix(".part")
            whole.write_text(json.dumps(record, indent=1) + "\n", "utf8")
            whole.replace(options.record)
    summarize(record)


if __name__ == "__main__":
    main()
