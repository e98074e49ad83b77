"""The book's passages and questions: what they hold, that each answer stands in one passage only, planted damage."""

import gzip

import pytest

from landing.data import DataError, load_book_passages, load_book_questions, passages, texts


def test_every_answer_stands_in_exactly_one_passage(capsys):
    found, questions = load_book_passages(), load_book_questions()
    assert "270 from 8 chapters" in capsys.readouterr().out
    assert len({(passage["chapter"], passage["cell"]) for passage in found}) == len(found) == 270
    assert [question["part"] for question in questions] == ["validation", "test"] * 30
    answered = [question for question in questions if question["cell"]]
    assert len(answered) == 40 and len({question["en"] for question in questions}) == 60
    for question in answered:
        for language in ("en", "zh"):
            holding = [passage for passage in found if question["evidence"][language] in passage[language]]
            assert [(passage["chapter"], passage["cell"]) for passage in holding] == [
                (question["chapter"], question["cell"])
            ]
        assert question["answers"]


def test_passages_are_running_text():
    for passage in load_book_passages():
        for language in ("en", "zh"):
            assert passage[language] and not any(mark in passage[language] for mark in ("](", "**", "```", "$", "\n"))


def test_damaged_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DataError, match="cannot be read"):
        load_book_questions()
    (tmp_path / passages.QUESTIONS[0]).write_text("[]\n")
    (tmp_path / passages.PASSAGES[0]).write_bytes(gzip.compress(b"[]\n"))
    with pytest.raises(DataError, match="SHA-256"):
        load_book_questions()
    with pytest.raises(DataError, match="SHA-256"):
        load_book_passages()
