"""Records of what was examined: written after a success alone, asked by `make test` alone, and only for exactly the same."""

import os
import time

import pytest

from bookkit import examined, proof


@pytest.fixture
def records(tmp_path, monkeypatch):
    """The folder of the records, an empty one; they count, and the commit draws nothing."""
    monkeypatch.setattr(proof, "store", lambda: tmp_path / "proofs")
    monkeypatch.setattr(examined, "drawn", lambda name: False)
    monkeypatch.setenv(examined.ASKED, "1")
    return tmp_path / "pages"


def runs(*parts, fails=False):
    """Whether a test of a page made from `parts` does its work; with `fails` it finds a fault."""
    done = []
    try:
        with examined.once("pages", "en/index.html", *parts):
            done.append(True)
            if fails:
                raise AssertionError("a fault")
    except (pytest.skip.Exception, AssertionError):
        pass
    return bool(done)


def test_the_same_is_examined_once_and_a_change_again(records):
    assert runs(b"page", "styles") and not runs(b"page", "styles")
    assert runs(b"page.", "styles") and runs(b"page", "other styles") and not runs(b"page", "styles")
    assert len(list(records.iterdir())) == 3


def test_a_fault_leaves_no_record_and_takes_an_earlier_one_away(records, monkeypatch):
    assert runs(b"page", fails=True) and not records.exists()
    assert runs(b"page")
    monkeypatch.setattr(examined, "drawn", lambda name: True)
    assert runs(b"page", fails=True) and not list(records.iterdir())


def test_records_count_only_where_they_are_asked_and_are_young(records, monkeypatch):
    assert runs(b"page")
    (place,) = records.iterdir()
    long_ago = time.time() - (proof.DAYS + 1) * 24 * 3600
    os.utime(place, (long_ago, long_ago))
    assert runs(b"page") and not runs(b"page")
    os.utime(place, (long_ago, long_ago))
    examined.forget_old()
    assert not list(records.iterdir())
    assert runs(b"page")
    monkeypatch.delenv(examined.ASKED)
    assert runs(b"page")


def test_the_commit_draws_about_one_in_twenty(monkeypatch):
    monkeypatch.setattr(examined, "commit", lambda: "a commit")
    first = {number for number in range(1000) if examined.drawn(f"page {number}")}
    monkeypatch.setattr(examined, "commit", lambda: "another")
    assert 20 < len(first) < 90
    assert first != {number for number in range(1000) if examined.drawn(f"page {number}")}
