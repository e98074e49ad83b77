"""What tests examined before and found without a fault: pages in a browser, the course files of a chapter.

As for notebooks (`bookkit.proof`), a record in the cache folder holds for ten days, for exactly what was examined: it is an
empty file, named by the digest of all that can change the result. `make test` asks the records, `make test ALL=1` and plain
pytest do not. One page in twenty, drawn by the commit, is examined again all the same.
"""

import datetime
import os
from contextlib import contextmanager

import pytest

from bookkit import proof
from bookkit.repository import commit

ASKED = "LANDING_EXAMINED"  # the environment variable that says that records count
EVERY = 20
KINDS = ("pages", "course")


def drawn(name):
    """Whether the commit chooses something to be examined again although a record holds."""
    return int(proof.digest(commit(), name)[:8], 16) % EVERY == 0


def place_of(kind, name, *parts):
    """Return the record's file for something of a kind ("pages"), with all that decides the result (strings, bytes)."""
    return proof.store().parent / kind / f"{name.replace('/', '-')}-{proof.digest(*parts)[:16]}"


def examined(place):
    """Return when a record was written, None if there is none or it is too old."""
    try:
        written = datetime.datetime.fromtimestamp(place.stat().st_mtime, datetime.UTC)
    except FileNotFoundError:
        return None
    return written if written > datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=proof.DAYS) else None


def forget_old():
    """Delete records that no longer hold for their age."""
    for kind in KINDS:
        for place in (proof.store().parent / kind).glob("*"):
            if not examined(place):
                place.unlink(missing_ok=True)


@contextmanager
def once(kind, name, *parts):
    """Skip the test if a record holds, and say so; else write one when the block ends without a fault."""
    place = place_of(kind, name, *parts)
    before = examined(place) if os.environ.get(ASKED) else None
    if before and not drawn(name):
        pytest.skip(f"examined on {before:%Y-%m-%d %H:%M} UTC, and nothing of it has changed")
    place.unlink(missing_ok=True)  # a fault, or an interrupt, leaves none
    yield
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
