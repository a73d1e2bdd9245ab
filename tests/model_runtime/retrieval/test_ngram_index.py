"""The index against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.retrieval.ngram_index import ORDER, Segment
from model_runtime.retrieval.vocabulary import GONE

texts = st.lists(st.lists(st.integers(1, 4), max_size=12), max_size=5)


def joined(found: list[list[int]]) -> list[int]:
    return [word for text in found for word in (*text, GONE)]


def counted(ids: list[int], context: tuple[int, ...]) -> Counter[int]:
    n = len(context)
    return Counter(
        ids[i] << 1 for i in range(n, len(ids)) if tuple(ids[i - n : i]) == context and ids[i] != GONE
    )


@given(texts, st.lists(st.integers(1, 5), min_size=1, max_size=ORDER + 2).map(tuple))
def test_counts_are_those_of_the_text(found: list[list[int]], context: tuple[int, ...]) -> None:
    ids = joined(found)
    segment = Segment(np.asarray(ids, np.int32) << 1)
    for _ in range(2):  # the second time from memory
        counts = list(segment.following(context))
        lengths = range(min(ORDER, len(context)), 0, -1)
        expected = {n: seen for n in lengths if (seen := counted(ids, context[-n:]))}
        assert {each.length: Counter(dict(each.words)) for each in counts} == expected
        assert [each.length for each in counts] == list(expected), "the longest first"
        assert [each.mass for each in counts] == [sum(each.values()) for each in expected.values()]


def test_what_is_forgotten_is_not_counted() -> None:
    segment = Segment(np.asarray([1, 2, 3, GONE, 1, 2, 4, GONE], np.int32) << 1)
    assert dict(next(segment.following((1, 2))).words) == {3 << 1: 1.0, 4 << 1: 1.0}
    segment.forget(0, 3)
    assert dict(next(segment.following((1, 2))).words) == {4 << 1: 1.0}


def test_weights_count_instead_of_places() -> None:
    segment = Segment(np.asarray([1, 2, 1, 3], np.int32) << 1, np.asarray([1, 0.5, 1, 2], np.float32))
    [counts] = segment.following((1,))
    assert dict(counts.words) == {2 << 1: 0.5, 3 << 1: 2.0}


def test_a_context_that_stands_everywhere_is_sampled() -> None:
    segment = Segment(np.asarray([1, 2] * 3000 + [1, 3] * 1000, np.int32) << 1)
    [counts] = segment.following((1,))
    assert counts.mass == pytest.approx(4000, rel=0.01)
    assert dict(counts.words)[2 << 1] == pytest.approx(3000, rel=0.05)


@pytest.mark.parametrize("context", [(), (GONE,), (9,), (10**6,)])
def test_a_context_that_was_never_seen(context: tuple[int, ...]) -> None:
    assert list(Segment(np.asarray([1, 2, 3], np.int32) << 1).following(context)) == []
