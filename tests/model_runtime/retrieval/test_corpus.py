from __future__ import annotations

import random
from itertools import pairwise

import pytest

from model_runtime.retrieval import corpus as module
from model_runtime.retrieval import ngram_index, words
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
    monkeypatch.setattr(module, "SMALL", 8)
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


def counts(corpus: Corpus, context: list[str]) -> list[tuple[int, dict[str, float]]]:
    """What followed a context, by words and by kinds."""
    known = corpus.vocabulary.known
    at_both = tuple(map(known, context)), tuple(known(words.kind(word)) for word in context)
    found = []
    for sources, at in zip(corpus.sources(1.0), at_both, strict=True):
        seen = [each for source in sources for each in source.segment.following(at)]
        for each in seen:
            spelled = {f"{corpus.vocabulary.word(word >> 1)} {word & 1}": n for word, n in each.words}
            found.append((each.length, spelled))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_texts_may_come_and_go_while_they_are_indexed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 40)
    monkeypatch.setattr(module, "LARGEST", 600)
    monkeypatch.setattr(module, "SMALL", 50)
    monkeypatch.setattr(module, "_LINES", 2)
    monkeypatch.setattr(ngram_index, "_PIECE", 16)
    rng, corpus, texts = random.Random(seed), Corpus(), dict[str, str]()
    for _ in range(400):
        match rng.randrange(8):
            case 0 | 1:
                key = f"{rng.randrange(12)}"
                lines = [
                    " ".join(rng.choices("abcdef.(1", k=rng.randrange(1, 6))) for _ in range(rng.randrange(7))
                ]
                texts[key] = "\n".join(lines)
                corpus.put(key, texts[key])
            case 2 if texts:
                key = rng.choice(list(texts))
                del texts[key]
                corpus.drop(key)
            case _:
                corpus.work(0.0)
    indexed(corpus)
    expected = Corpus.of(list(texts.values()))
    for _ in range(200):
        context = rng.choices("abcdef.(1", k=rng.randrange(1, 5))
        assert counts(corpus, context) == counts(expected, context)
    assert all(part.words <= 600 for part in corpus._parts)
    sizes = [part.words for part in corpus._parts]
    assert all(more >= 3 * less or more + less > 600 for more, less in pairwise(sizes)), "few parts"
    assert not any(part.is_sparse for part in corpus._parts)


def test_a_text_is_let_go_when_it_is_indexed() -> None:
    corpus = indexed(Corpus.of(["a = 1\n" * 100]))
    assert not corpus._waiting
    assert not corpus._fresh


def test_what_is_more_than_a_workspace_may_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    monkeypatch.setattr(module, "TOGETHER", 1)
    corpus = Corpus.of(["a = b\n" * 40, "x = y\n" * 40])
    assert best(corpus, "a = ") == "b"
    assert best(corpus, "x = ") != "y"
