"""Which words followed which: sorted positions instead of counts.

A text's positions are sorted by the words before them, the nearest first, so that the places after the same
one, two, three, ... words stand side by side and a longer context narrows a range: a suffix array read from
right to left (cf. Liu et al. 2024, "Infini-gram", arXiv 2401.17377). It takes twelve bytes a word instead
of a dictionary entry for every n-gram, and one sort to make. Knows word ids, not words.

A *spaced* word is `id << 1 | space`; a context is made of ids alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

import numpy as np

from model_runtime.retrieval.vocabulary import GONE

ORDER = 6  # words of context, at most
MOST_WORDS = 1 << 21  # three ids are packed into 63 bits
_PAD = ORDER + 1
_SAMPLED = 256  # places that are counted of a context that stands in more
_KEPT = 40  # words of a context that are kept, the most frequent
_REMEMBERED = 10_000  # contexts whose counts are kept


@dataclass(frozen=True, slots=True)
class Counts:
    """What followed a context: the most frequent spaced words with what each weighs, the weight of all that
    followed, how many different ones that were, and the context's length."""

    words: Sequence[tuple[int, float]]
    mass: float
    distinct: int
    length: int  # words of the context


class Segment:
    """An index over some texts. `spaced` [N] are their words, GONE between texts; `weights` [N] is how much
    each place counts (1 where there are none)."""

    def __init__(self, spaced: np.ndarray, weights: np.ndarray | None = None) -> None:
        self._spaced = np.concatenate((np.zeros(_PAD, np.int32), np.asarray(spaced, np.int32)))
        self._weights = (
            None if weights is None else np.concatenate((np.zeros(_PAD), weights)).astype(np.float32)
        )
        ids = (self._spaced >> 1).astype(np.int64)
        key = ids[_PAD - 1 : -1] << 42
        key |= ids[_PAD - 2 : -2] << 21
        key |= ids[_PAD - 3 : -3]
        self._positions = (np.argsort(key, kind="stable") + _PAD).astype(np.int32)
        self._second = (self._spaced[self._positions - 2] >> 1).astype(
            np.int32
        )  # sorted where the last agrees
        counts = np.bincount(ids[_PAD - 1 : -1], minlength=1)
        self._starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        self._known: dict[tuple[int, ...], Counts] = {}

    def __len__(self) -> int:
        return len(self._spaced) - _PAD

    @property
    def spaced(self) -> np.ndarray:
        """What it was made of, less what was forgotten."""
        return self._spaced[_PAD:]

    def forget(self, start: int, end: int) -> None:
        """What stands at [start, end) is not counted any more."""
        self._spaced[_PAD + start : _PAD + end] = GONE
        self._known.clear()

    def following(self, context: tuple[int, ...]) -> Iterator[Counts]:
        """What followed the longest end of `context` that has been seen, then its shorter ends, one by one.
        None is counted before it is asked for."""
        for n, places in reversed(list(enumerate(self._places(context), 1))):
            key = context[-n:]
            counts = self._known.get(key)
            if counts is None:
                counts = self._counted(places, n)
                if len(self._known) < _REMEMBERED:
                    self._known[key] = counts
            if counts.distinct:
                yield counts

    def _places(self, context: Sequence[int]) -> Iterator[np.ndarray]:
        """Positions after the last 1, 2, ... words of `context`, until there are none."""
        last = context[-1] if context else GONE
        if last == GONE or last + 1 >= len(self._starts):
            return
        lo, hi = self._starts[last : last + 2].tolist()
        if lo == hi:
            return
        yield self._positions[lo:hi]
        if len(context) < 2:
            return
        word = context[-2]
        first, end = self._second[lo:hi].searchsorted((word, word + 1)).tolist()
        places = self._positions[lo + first : lo + end]
        for back in range(3, min(ORDER, len(context)) + 2):
            if not len(places):
                return
            yield places
            if back > len(context):
                return
            places = places[self._spaced[places - back] >> 1 == context[-back]]

    def _counted(self, places: np.ndarray, length: int) -> Counts:
        scale = 1.0
        if len(places) > _SAMPLED:
            scale = len(places) / _SAMPLED
            places = places[(np.arange(_SAMPLED) * scale).astype(np.int64)]
        found: dict[int, float] = {}
        spaced = self._spaced[places].tolist()
        if self._weights is None:
            for word in spaced:
                found[word] = found.get(word, 0.0) + scale
        else:
            for word, weight in zip(spaced, self._weights[places].tolist(), strict=True):
                found[word] = found.get(word, 0.0) + weight * scale
        found.pop(GONE, None)
        kept = found.items() if len(found) <= _KEPT else nlargest(_KEPT, found.items(), key=itemgetter(1))
        return Counts(tuple(kept), sum(found.values()), len(found), length)
