"""Model files that every Keras from OLDEST_KERAS on can read.

A newer Keras writes each setting of a layer into the file, also the settings that it added itself and that stand at
their defaults. An older Keras stops at the first of them. `make_portable` takes them out of the file.
"""

import inspect
import json
import os
import zipfile
from importlib import import_module
from pathlib import Path

OLDEST_KERAS = "3.13"  # the lower bound in pyproject.toml; the settings it knows are in the file below
_KNOWN = Path(__file__).with_name(f"keras-{OLDEST_KERAS}.json")
_CONTAINERS = {"Sequential", "Functional", "Model"}  # their settings are layers and connections


def known_settings():
    """Return the settings that the oldest Keras accepts: a dict from class name to a list of names."""
    return json.loads(_KNOWN.read_text("utf8"))


def _default(module, class_name, setting):
    """Return what a setting of a Keras class is if nobody sets it, as the installed Keras declares it."""
    for parent in getattr(import_module(module), class_name).__mro__:
        parameter = inspect.signature(parent.__init__).parameters.get(setting)
        if parameter is not None:
            default = parameter.default
            return list(default) if isinstance(default, tuple) else default  # as JSON holds it
    return inspect.Parameter.empty


def portable_settings(config):
    """Take out of a model's configuration, as `config.json` holds it, what the oldest Keras does not know.

    Parameters
    ----------
    config
        The configuration: nested dicts and lists. It is left as it is.

    Returns
    -------
    config, removed
        The shorter configuration, and the sorted names of the settings that it lacks.

    Raises
    ------
    ValueError if the oldest Keras lacks a class, or a setting that does not stand at its default: such a model means
    something that the older version cannot do.
    """
    known, removed = known_settings(), set()

    def shorten(value):
        if isinstance(value, list):
            return [shorten(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        value = {key: shorten(entry) for key, entry in value.items()}
        module, name = value.get("module"), value.get("class_name")
        if not str(module).startswith("keras") or name in _CONTAINERS:
            return value
        if name not in known:
            raise ValueError(f"Keras {OLDEST_KERAS} has no {module}.{name}")
        for setting in set(value["config"]) - set(known[name]):
            if value["config"][setting] != _default(module, name, setting):
                raise ValueError(
                    f"Keras {OLDEST_KERAS} has no setting {setting} of {name}, and here it is not at its default but "
                    f"{value['config'][setting]!r}"
                )
            del value["config"][setting]
            removed.add(setting)
        return value

    if config.get("compile_config"):
        raise ValueError("the model is compiled: copy its weights into a fresh model of the same configuration first")
    return shorten(config), sorted(removed)


def make_portable(path):
    """Rewrite a `.keras` file so that every Keras from OLDEST_KERAS on can read it; the weights stay as they are.

    Returns
    -------
    list of str
        The sorted names of the settings that were taken out.

    Raises
    ------
    ValueError as `portable_settings` does; the file is then as it was.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(path) as archive:
        config, removed = portable_settings(json.loads(archive.read("config.json")))
        members = {entry: archive.read(entry) for entry in archive.infolist()}
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for entry, content in members.items():
                archive.writestr(entry, json.dumps(config) if entry.filename == "config.json" else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return removed
