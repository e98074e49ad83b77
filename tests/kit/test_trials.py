"""The trials of readers' code: each has the namespace as the notebook left it, and what spoils it is noticed."""

import json
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from bookkit import trials


@pytest.fixture
def shell():
    """A shell as it runs in a kernel, with a namespace of its own."""
    shell = InteractiveShell()
    yield shell
    InteractiveShell.clear_instance()


def results(shell, capsys, changes, before=(), after=()):
    """Run trials in the shell; `changes` are sources of a cell. Return what each raised, "" for nothing."""
    shell.user_ns["get_ipython"] = lambda: shell
    cells = [[("cell", source)] for source in changes]
    shell.run_cell(trials.IN_KERNEL + f"_trials({list(before)!r}, {cells!r}, {list(after)!r})").raise_error()
    return json.loads(re.search(r"^TRIALS(.*)$", capsys.readouterr().out, re.M)[1])


def test_what_is_changed_in_place_is_whole_again_for_the_next_trial(shell, capsys):
    shell.run_cell(
        "import numpy as np\nlosses = [3, 2, 1]\ntable = {'rows': [[1], [2]]}\nweights = np.ones(3)\ngenerator = np.random.default_rng(0)\nfirst = np.random.default_rng(0).normal()"
    )
    harmless = "assert losses == [3, 2, 1] and table == {'rows': [[1], [2]]} and weights.sum() == 3 and generator.normal() == first"
    found = results(
        shell,
        capsys,
        [
            harmless,
            "losses.append(0)\ntable['rows'][0].append(9)\nweights *= 0\ngenerator.normal()\nassert False",
            harmless,
            harmless,
        ],
    )
    assert found[0] == found[2] == found[3] == "" and found[1].startswith("AssertionError")
    assert shell.user_ns["losses"] == [3, 2, 1]


def test_two_names_of_one_array_stay_two_names_of_one_array(shell, capsys):
    shell.run_cell("import numpy as np\nW = np.zeros(2)\nparameters = [W, np.zeros(1)]")
    assert results(shell, capsys, ["parameters[0] += 1\nassert W.sum() == 2"] * 2) == ["", ""]


def test_models_get_their_weights_back(shell, capsys):
    shell.run_cell(
        "import keras\nimport numpy as np\nmodel = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer='ones')])"
    )
    source = "assert model.get_weights()[0].sum() == 2\nmodel.set_weights([np.zeros((2, 1)), np.zeros(1)])"
    assert results(shell, capsys, [source, source]) == ["", ""]


def test_a_shared_object_that_a_trial_spoils_shows_in_the_last_run(shell, capsys):
    """What cannot be copied is shared; the unchanged code, run last, then fails (bookkit.trials.Trial says so)."""
    shell.run_cell("class Box:\n    pass\nbox = Box()\nbox.value = 1")
    assert results(shell, capsys, ["assert box.value == 1", "box.value = 2", "assert box.value == 1"]) == [
        "",
        "",
        "AssertionError: ",
    ]


def test_a_fault_before_a_trial_is_no_catch(shell, capsys):
    with pytest.raises(ZeroDivisionError):
        results(shell, capsys, ["pass"], before=[("before", "1 / 0")])


@pytest.mark.slow
def test_a_trial_that_hangs_is_interrupted():
    from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel

    kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, cwd=".")
    try:
        with pytest.raises(AssertionError, match="nothing came from the kernel for 2 s; it was interrupted"):
            trials.execute(kernel, "import time\ntime.sleep(100)", 2)
        assert trials.execute(kernel, "print('alive')", 60) == "alive\n"
    finally:
        kernel.stop()
