"""Model files for every Keras that the book allows: what is taken out, what is refused, and the packaged file itself."""

import copy
import json
import re
import tomllib
import zipfile

import pytest

from bookkit import ROOT
from landing import models, saving


def configuration(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


@pytest.fixture
def keras_file(tmp_path):
    """A small model's file as the installed Keras writes it."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(2, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    return path


def test_the_packaged_model_holds_nothing_that_the_oldest_keras_does_not_know():
    config = configuration(models.digit_model_path())
    assert saving.portable_settings(config) == (config, [])
    # Two that newer versions write, looked for without the table of known settings.
    assert not re.search("input_axes|renorm", json.dumps(config))


def test_the_oldest_keras_is_the_one_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    assert any(re.match(rf"keras>={re.escape(saving.OLDEST_KERAS)}\b", entry) for entry in project["dependencies"])


def test_a_portable_file_is_the_same_model(keras_file):
    import keras
    import numpy as np

    before = keras.saving.load_model(keras_file)
    with zipfile.ZipFile(keras_file) as archive:
        weights = archive.read("model.weights.h5")
    saving.make_portable(keras_file)
    assert saving.make_portable(keras_file) == []  # a second time there is nothing left to take
    with zipfile.ZipFile(keras_file) as archive:
        assert archive.read("model.weights.h5") == weights
    after, images = keras.saving.load_model(keras_file), np.random.default_rng(0).random((5, 4, 4, 1))
    assert after.to_json() == before.to_json()
    np.testing.assert_array_equal(after.predict(images, verbose=0), before.predict(images, verbose=0))


def a_newer_setting(config, value):
    """Put a setting that only a newer Keras has into a copy of a configuration."""
    config = copy.deepcopy(config)
    layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "BatchNormalization")
    layer["config"]["renorm"] = value
    return config


def test_a_newer_setting_goes_if_it_stands_at_its_default(keras_file, monkeypatch):
    saving.make_portable(keras_file)
    plain = configuration(keras_file)
    monkeypatch.setattr(saving, "_default", lambda module, name, setting: False)
    assert saving.portable_settings(a_newer_setting(plain, False)) == (plain, ["renorm"])


def test_a_newer_setting_that_means_something_is_refused(keras_file, monkeypatch):
    saving.make_portable(keras_file)
    monkeypatch.setattr(saving, "_default", lambda module, name, setting: False)
    with pytest.raises(ValueError, match="no setting renorm of BatchNormalization.*not at its default but True"):
        saving.portable_settings(a_newer_setting(configuration(keras_file), True))


def test_an_unknown_class_and_a_compiled_model_are_refused_and_the_file_stays(keras_file, monkeypatch):
    before = keras_file.read_bytes()
    known = saving.known_settings()
    del known["Flatten"]
    with monkeypatch.context() as patch:
        patch.setattr(saving, "known_settings", lambda: known)
        with pytest.raises(ValueError, match="has no keras.layers.Flatten"):
            saving.make_portable(keras_file)
    import keras

    assert keras_file.read_bytes() == before and [path.name for path in keras_file.parent.iterdir()] == ["model.keras"]
    model = keras.saving.load_model(keras_file)
    model.compile("sgd", "mse")
    model.save(keras_file)
    with pytest.raises(ValueError, match="compiled"):
        saving.make_portable(keras_file)
