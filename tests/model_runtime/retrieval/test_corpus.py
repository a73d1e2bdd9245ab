from __future__ import annotations

import pytest

from model_runtime.retrieval import corpus as module
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.ngram import NgramModel


def indexed(corpus: Corpus) -> Corpus:
    while corpus.work(0.01):
        pass
    return corpus


def best(corpus: Corpus, before: str) -> str:
    return next((each.text for each in NgramModel(before, "\n", corpus).compose()), "")


def test_a_text_counts_from_when_it_is_indexed_until_it_is_dropped() -> None:
    corpus = Corpus()
    corpus.put("a.py", "total = compute_area(width, height)\n")
    assert best(corpus, "total = ") == ""
    assert best(indexed(corpus), "total = ") == "compute_area(width, height)"
    corpus.drop("a.py")
    assert best(indexed(corpus), "total = ") == ""


def test_a_changed_text_takes_the_place_of_the_old_one() -> None:
    corpus = Corpus()
    corpus.put("a.py", "total = one(1)\n")
    indexed(corpus)
    corpus.put("a.py", "total = two(2)\n")
    assert best(indexed(corpus), "total = ") == "two(2)"


def test_merged_texts_are_found_and_dropped_ones_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 8)
    corpus = Corpus()
    for n in range(60):
        corpus.put(f"{n}.py", f"value_{n} = compute(value_{n}, {n})\n")
        indexed(corpus)
    for n in range(0, 60, 2):
        corpus.drop(f"{n}.py")
    for n in range(60, 90):
        corpus.put(f"{n}.py", f"value_{n} = compute(value_{n}, {n})\n")
    indexed(corpus)
    assert len(corpus._parts) < 8
    for n in range(90):
        expected = f"compute(value_{n}, {n})" if n % 2 or n >= 60 else ""
        assert (best(corpus, f"value_{n} = ") == expected) is bool(expected)


def test_work_is_done_in_slices() -> None:
    corpus = Corpus()
    for n in range(200):
        corpus.put(f"{n}.py", f"value_{n} = compute(value_{n}, {n})\n" * 50)
    slices = 0
    while corpus.work(0.0005):
        slices += 1
    assert slices > 5
