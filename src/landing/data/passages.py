"""The book's own passages in two languages, and questions about them whose answers are known.

Both files lie in the folder texts; texts/make_passages.py says where the passages come from.
"""

import hashlib
import json
from pathlib import Path

from landing.data import files, texts

PASSAGES = ("book-passages.json.gz", "2a356ead916a4b43eedb1e16ce47e05c28bf37c0446ef05fefc159f2cd75acaf")
QUESTIONS = ("book-questions.json", "84c7daf40ddd4710c041f0135c5acfd10de7e2bd8a8b02e5599f67b61fbecd2c")


def load_book_passages():
    """Passages of eight chapters of this book, each in English and in Chinese.

    Returns
    -------
    List of dict in the order of the book, with the keys "chapter", "cell" (the id of the Markdown cell), "en" and "zh"
    (the same passage in the two editions, as running text without formulas that stand alone).

    Raises
    ------
    DataError if the file is damaged.

    Notes
    -----
    A fixed extract: it does not follow later corrections of the chapters.
    """
    passages = json.loads(texts._content(*PASSAGES))
    chapters = {passage["chapter"] for passage in passages}
    print(f"Passages of this book: {len(passages)} from {len(chapters)} chapters, in English and Chinese, packaged")
    return passages


def load_book_questions():
    """Questions in English and Chinese: forty that the passages answer, twenty that they do not.

    Returns
    -------
    List of dict with the keys "part" ("validation" or "test"), "chapter" and "cell" of the passage that answers (None if
    there is none), "en" and "zh" (the question), "evidence" ({"en": ..., "zh": ...}, the words of the passage that hold
    the answer, or None) and "answers" (short phrases, one of which a right English answer contains; may be empty).

    Raises
    ------
    DataError if the file is damaged.
    """
    path = Path(texts.__file__).with_name(QUESTIONS[0])
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise files.DataError(f"{path} cannot be read: {problem}. Install the book's package again.") from problem
    # A checkout on Windows may have other line ends.
    if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() != QUESTIONS[1]:
        raise files.DataError(f"{path} is not the file of this book (its SHA-256 differs). Install the package again.")
    questions = json.loads(content)
    answered = sum(question["cell"] is not None for question in questions)
    print(f"Questions: {answered} with an answer in the passages, {len(questions) - answered} without, packaged")
    return questions
