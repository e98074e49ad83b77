"""The commands `check`, `prove` and `test`: which tests run now, and what was proved before.

Everything is an ordinary pytest run; `python -m pytest` runs all of it one after another, proofs or not.
"""

import os
import subprocess
import sys
import time

from bookkit import BOOK, ROOT, examined, proof
from bookkit.editions import chapters, read_notebook
from bookkit.facts import chapter_facts, settings
from bookkit.repository import commit

QUICK = ("tests/text", "tests/package", "tests/kit")
# Measure time, or start servers that must answer in time: nothing runs beside them.
ALONE = ("tests/notebooks/test_serving.py",)
NOTHING_COLLECTED = 5


def path_of(slug):
    """Return the path of a chapter's English notebook."""
    return BOOK / "en" / f"{slug}.ipynb"


def run_pytest(*arguments, side_by_side=False):
    """Run pytest in a process of its own; return its exit status, 0 also where nothing was collected."""
    beside = ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"] if side_by_side else []
    command = [sys.executable, "-m", "pytest", *beside, *(str(argument) for argument in arguments)]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONUTF8": "1"}).returncode
    return 0 if status == NOTHING_COLLECTED else status


def check(arguments=()):
    """Run the quick tests: text, editions, data, tools."""
    return run_pytest(*QUICK, "-m", "not slow", *arguments)


def full_data():
    """Move the name of the folder of the full data sets to where the collector looks for it: notebooks run on the packaged data
    unless their outputs name the full sets."""
    if "BOOK_DATA" in os.environ:
        os.environ["LANDING_FULL_DATA"] = os.environ.pop("BOOK_DATA")


def plan(slugs, everything=False, draw=True):
    """Return ({slug: why it is executed}, {slug: Proof} of those that are not).

    `draw`: the commit chooses proved chapters that are executed again all the same.
    """
    examined = {slug: proof.examine(path_of(slug)) for slug in slugs}
    proved = {slug: found for slug, (found, _) in examined.items() if found}
    if everything:
        return {slug: "all were asked for" for slug in slugs}, {}
    reasons = {slug: why for slug, (found, why) in examined.items() if not found}
    if draw:
        reasons.update((slug, "proved, and drawn to be executed again") for slug in proof.draw(proved, commit()))
    return reasons, {slug: found for slug, found in proved.items() if slug not in reasons}


def parts(slugs):
    """Return the notebooks that may share the processor, and those that measure time and run alone.

    The longest first (as its committed run says), so that none is left to one of two processes at the end.
    """
    seconds = {slug: chapter_facts(read_notebook("en", slug).cells).seconds for slug in slugs}
    slugs = sorted(slugs, key=seconds.get, reverse=True)
    alone = [slug for slug in slugs if settings(slug).get("alone")]
    return [path_of(slug) for slug in slugs if slug not in alone], [path_of(slug) for slug in alone]


def summary(reasons, proved, before):
    """Print what was executed now and what was proved before, and when."""
    print("\nChapters executed now:" if reasons else "\nNo chapter was executed now.")
    for slug, why in sorted(reasons.items()):
        found, missing = proof.examine(path_of(slug))
        fresh = found is not None and found.written.timestamp() >= before - 1
        print(
            f"  {slug:20} {f'green in {found.seconds:.0f} s' if fresh else f'NOT PROVED ({missing or chr(45)})'}; {why}"
        )
    if proved:
        print("Chapters proved before, and not executed now:")
    for slug, found in sorted(proved.items()):
        print(f"  {slug:20} green on {found.written:%Y-%m-%d %H:%M} UTC in {found.seconds:.0f} s")


def prove(slugs=()):
    """Execute the chapters named (all if none is) that have no valid proof here; return the exit status."""
    full_data()
    proof.forget_old()
    before = time.time()
    reasons, proved = plan(slugs or chapters(), draw=False)
    shared, alone = parts(reasons)
    status = (run_pytest(*shared, side_by_side=True) if shared else 0) | (run_pytest(*alone) if alone else 0)
    summary(reasons, proved, before)
    return status


def test(everything=False):
    """Run all tests, and the notebooks that are not proved (all with `everything`); return the exit status.

    Pages and course files that were examined before, and are as they were, are not examined again.
    """
    full_data()
    proof.forget_old()
    examined.forget_old()
    if not everything:
        os.environ[examined.ASKED] = "1"
    before = time.time()
    reasons, proved = plan(chapters(), everything)
    shared, alone = parts(reasons)
    # In this order: what takes long before what takes seconds.
    folders = ["tests/site", "tests/course", "tests/kit", "tests/package", "tests/text", "tests/notebooks"]
    status = run_pytest(*shared, *folders, *(f"--ignore={path}" for path in ALONE), side_by_side=True)
    status |= run_pytest(*ALONE, *alone)
    summary(reasons, proved, before)
    return status
