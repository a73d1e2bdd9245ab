"""The index against counting by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.retrieval import ngram_index
from model_runtime.retrieval.ngram_index import ORDER, Segment, Segments, Span
from model_runtime.retrieval.vocabulary import GONE

texts = st.lists(st.lists(st.integers(1, 4), max_size=12), max_size=5)


def joined(found: list[list[int]]) -> list[int]:
    return [word for text in found for word in (*text, GONE)]


def counted(ids: list[int], context: tuple[int, ...]) -> Counter[int]:
    n = len(context)
    return Counter(
        ids[i] << 1 for i in range(n, len(ids)) if tuple(ids[i - n : i]) == context and ids[i] != GONE
    )


def index(ids: Sequence[int], weights: Sequence[float] | None = None) -> Segment:
    by = None if weights is None else np.asarray(weights, np.float32)
    return Segment(np.asarray(ids, np.int32) << 1, by)


def merged(parts: Sequence[tuple[Segment, Sequence[Span]]]) -> tuple[Segment, int]:
    """And in how many pieces it was made."""
    work, pieces = Segment.merged(parts), 0
    while True:
        try:
            next(work)
            pieces += 1
        except StopIteration as stop:
            return stop.value, pieces


def spans_of(found: list[list[int]]) -> list[Span]:
    ends = [sum(len(each) + 1 for each in found[: n + 1]) - 1 for n in range(len(found))]
    return [(end - len(each), end) for end, each in zip(ends, found, strict=True)]


def check(segments: Sequence[Segment], ids: list[int], context: tuple[int, ...]) -> None:
    together = Segments(segments)
    for _ in range(2):  # the second time from memory
        counts = list(together.following(context))
        lengths = range(min(ORDER, len(context)), 0, -1)
        expected = {n: seen for n in lengths if (seen := counted(ids, context[-n:]))}
        assert {each.length: Counter(dict(each.words)) for each in counts} == expected
        assert [each.length for each in counts] == list(expected), "the longest first"
        assert [each.mass for each in counts] == [sum(each.values()) for each in expected.values()]


contexts = st.lists(st.integers(1, 5), min_size=1, max_size=ORDER + 2).map(tuple)


@given(texts, contexts)
def test_counts_are_those_of_the_text(found: list[list[int]], context: tuple[int, ...]) -> None:
    ids = joined(found)
    check([index(ids)], ids, context)


@given(st.lists(texts, max_size=4), contexts)
def test_segments_count_as_one(found: list[list[list[int]]], context: tuple[int, ...]) -> None:
    all_ids = [joined(each) for each in found]
    check([index(ids) for ids in all_ids], [word for ids in all_ids for word in ids], context)


@given(st.lists(texts, min_size=1, max_size=3), contexts, st.randoms(use_true_random=False))
def test_merged_segments_are_as_one_made_of_their_texts(
    found: list[list[list[int]]], context: tuple[int, ...], rng: random.Random
) -> None:
    kept: list[list[int]] = []
    parts = []
    for each in found:
        spans = spans_of(each)
        chosen = [n for n in range(len(each)) if rng.random() < 0.7]
        kept += [each[n] for n in chosen]
        parts.append((index(joined(each)), [spans[n] for n in chosen]))
    segment, _ = merged(parts)
    check([segment], joined(kept), context)
    again, _ = merged([(segment, spans_of(kept))])
    check([again], joined(kept), context)


def test_segments_are_merged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_index, "_PIECE", 50)
    rng = random.Random(1)
    one, two = ([rng.randrange(1, 40) for _ in range(500)] for _ in range(2))
    segment, pieces = merged([(index([*each, GONE]), [(0, 500)]) for each in (one, two)])
    assert pieces > 12
    for context in ((3,), (7, 9), (one[3], one[4], one[5])):
        check([segment], joined([one, two]), context)


@given(texts, contexts, st.randoms(use_true_random=False))
def test_what_is_forgotten_does_not_hide_the_rest(
    found: list[list[int]], context: tuple[int, ...], rng: random.Random
) -> None:
    segment, spans = index(joined(found)), spans_of(found)
    gone = {n for n in range(len(found)) if rng.random() < 0.5}
    for n in gone:
        segment.forget(*spans[n])
        segment.forget(*spans[n])
    check([segment], joined([each for n, each in enumerate(found) if n not in gone]), context)


def test_what_is_forgotten_is_not_counted() -> None:
    segment = index([1, 2, 3, GONE, 1, 2, 4, GONE])
    assert dict(next(Segments([segment]).following((1, 2))).words) == {3 << 1: 1.0, 4 << 1: 1.0}
    segment.forget(0, 3)
    assert dict(next(Segments([segment]).following((1, 2))).words) == {4 << 1: 1.0}


def test_weights_count_instead_of_places() -> None:
    [counts] = Segments([index([1, 2, 1, 3], [1, 0.5, 1, 2])]).following((1,))
    assert dict(counts.words) == {2 << 1: 0.5, 3 << 1: 2.0}


def test_a_context_that_stands_everywhere_is_sampled() -> None:
    ids = [1, 2] * 3000 + [1, 3] * 1000
    for segments in ([index(ids)], [index(ids[:5000]), index(ids[5000:])]):
        [counts] = Segments(segments).following((1,))
        assert counts.mass == pytest.approx(4000, rel=0.01)
        assert dict(counts.words)[2 << 1] == pytest.approx(3000, rel=0.05)


def test_not_all_counts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_index, "_REMEMBERED", 5)
    together = Segments([index(range(1, 30))])
    for word in range(1, 29):
        [counts] = together.following((word,))
        assert dict(counts.words) == {word + 1 << 1: 1.0}
    assert len(together._known) <= 5


@pytest.mark.parametrize("context", [(), (GONE,), (9,), (10**6,)])
def test_a_context_that_was_never_seen(context: tuple[int, ...]) -> None:
    assert list(Segments([index([1, 2, 3])]).following(context)) == []
    assert list(Segments([]).following(context)) == []
