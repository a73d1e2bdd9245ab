"""Which words followed which: sorted positions instead of counts.

A text's positions are sorted by the words before them, the nearest first, so that the places after the same
one, two, three, ... words stand side by side and a longer context narrows a range: a suffix array read from
right to left (cf. Liu et al. 2024, "Infini-gram", arXiv 2401.17377). It takes eight bytes a word instead
of a dictionary entry for every n-gram, and one sort to make. Knows word ids, not words.

A *spaced* word is `id << 1 | space`; a context is made of ids alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
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
_REMEMBERED = 2_000  # contexts whose counts are kept
_PIECE = 1 << 15  # places that are merged at once
_FORGOTTEN = -(1 << 31)  # the sign bit of a word that does not count any more

Span = tuple[int, int]  # [start, end) of a text in a segment; the word at `end` is GONE


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
        padded = np.concatenate((np.zeros(_PAD, np.int32), np.asarray(spaced, np.int32)))
        positions = _sorted(padded, np.arange(_PAD, len(padded), dtype=np.int32))
        self._set(padded, positions, [_directory(padded, positions)])
        if weights is not None:
            self._weights = np.concatenate((np.zeros(_PAD), weights)).astype(np.float32)

    @classmethod
    def merged(cls, parts: Sequence[tuple[Segment, Sequence[Span]]]) -> Generator[None, None, Segment]:
        """A segment without weights of these spans of others, in this order, each with the GONE behind it.
        Yields between two pieces of the work, a few milliseconds each; after the first nothing that is
        forgotten in the others counts."""
        size = sum(end + 1 - start for _, spans in parts for start, end in spans)
        spaced, positions = np.zeros(_PAD + size, np.int32), np.empty(size, np.int32)
        segments, moved, at = [part for part, _ in parts], list[np.ndarray](), _PAD
        for part, spans in parts:
            to = np.full(len(part._spaced), -1, np.int32)  # where each place goes, -1: nowhere
            for start, end in spans:
                old, new = slice(_PAD + start, _PAD + end + 1), slice(at, at := at + end + 1 - start)
                spaced[new] = part._spaced[old]
                to[old] = np.arange(new.start, new.stop, dtype=np.int32)
            moved.append(to)
        yield
        words = np.unique(np.concatenate([each._words for each in segments]))
        starts = [each._starts[np.append(each._words.searchsorted(words), -1)] for each in segments]
        together = np.sum(starts, axis=0)
        yield
        low = filled = 0
        directory = list[tuple[np.ndarray, np.ndarray]]()
        while low < len(words):
            high = max(low + 1, int(together.searchsorted(together[low] + _PIECE, "right")) - 1)
            piece = np.concatenate(
                [
                    to[each._positions[start[low] : start[high]]]
                    for each, start, to in zip(segments, starts, moved, strict=True)
                ]
            )
            piece = _sorted(spaced, piece[piece >= 0])  # merges runs: what was in order still is
            positions[filled : filled + len(piece)] = piece
            directory.append(_directory(spaced, piece, filled))
            filled += len(piece)
            low = high
            yield
        merged = cls.__new__(cls)
        merged._set(spaced, positions, directory)
        return merged

    def _set(
        self, spaced: np.ndarray, positions: np.ndarray, directory: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> None:
        """`directory`: the words before positions, and where the positions after each begin."""
        self._spaced, self._positions = spaced, positions
        self._weights: np.ndarray | None = None
        end = np.full(1, len(positions), np.int32)
        self._words = np.concatenate([np.empty(0, np.int32), *(words for words, _ in directory)])
        self._starts = np.concatenate([*(starts for _, starts in directory), end])

    def __len__(self) -> int:
        return len(self._spaced) - _PAD

    def forget(self, start: int, end: int) -> None:
        """What stands at [start, end) is not counted any more. It keeps its place in the order."""
        self._spaced[_PAD + start : _PAD + end] |= _FORGOTTEN

    def places(self, context: Sequence[int]) -> Iterator[np.ndarray]:
        """Positions after the last 1, 2, ... words of `context`, until there are none."""
        last = context[-1] if context else GONE
        at = bisect_left(self._words.data, last)
        if last == GONE or at == len(self._words) or self._words[at] != last:
            return
        lo, hi = self._starts[at : at + 2].tolist()
        yield self._positions[lo:hi]
        spaced, positions = self._spaced.data, self._positions.data
        for back in range(2, min(3, len(context)) + 1):  # sorted so far

            def before(at: int, back: int = back) -> int:
                return (spaced[positions[at] - back] & ~_FORGOTTEN) >> 1

            word = context[-back]
            lo = bisect_left(range(hi), word, lo, hi, key=before)
            hi = bisect_left(range(hi), word + 1, lo, hi, key=before)
            if lo == hi:
                return
            yield self._positions[lo:hi]
        places = self._positions[lo:hi]
        for back in range(4, min(ORDER, len(context)) + 1):
            places = places[self._spaced[places - back] >> 1 == context[-back]]
            if not len(places):
                return
            yield places

    def counted(self, places: np.ndarray) -> tuple[list[int], list[float] | None]:
        """The words at some places, and what each weighs (None: 1), less what is forgotten or GONE."""
        words = self._spaced[places]
        if self._weights is None:
            return words[words > 0].tolist(), None
        return words[words > 0].tolist(), self._weights[places[words > 0]].tolist()


class Segments:
    """Some segments that count as one."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._known: dict[tuple[int, ...], Counts] = {}

    def following(self, context: tuple[int, ...]) -> Iterator[Counts]:
        """What followed the longest end of `context` that has been seen, then its shorter ends, one by one.
        None is counted before it is asked for."""
        places = [list(segment.places(context)) for segment in self._segments]
        for n in range(max(map(len, places), default=0), 0, -1):
            key = context[-n:]
            counts = self._known.get(key)
            if counts is None:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                found = zip(self._segments, places, strict=True)
                counts = self._known[key] = _counted(
                    [(s, each[n - 1]) for s, each in found if len(each) >= n], n
                )
            if counts.distinct:
                yield counts


def _counted(found: Sequence[tuple[Segment, np.ndarray]], length: int) -> Counts:
    scale = max(1.0, sum(len(places) for _, places in found) / _SAMPLED)
    mass: dict[int, float] = {}
    for segment, places in found:
        if scale > 1:
            places = places[np.arange(0, len(places), scale).astype(np.int64)]
        words, weights = segment.counted(places)
        if weights is None:
            for word in words:
                mass[word] = mass.get(word, 0.0) + scale
        else:
            for word, weight in zip(words, weights, strict=True):
                mass[word] = mass.get(word, 0.0) + weight * scale
    kept = mass.items() if len(mass) <= _KEPT else nlargest(_KEPT, mass.items(), key=itemgetter(1))
    return Counts(tuple(kept), sum(mass.values()), len(mass), length)


def _sorted(spaced: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Positions by the three words before each, the nearest first."""
    key = spaced[positions - 1].astype(np.int64) >> 1 << 42
    key |= spaced[positions - 2].astype(np.int64) >> 1 << 21
    key |= spaced[positions - 3] >> 1
    return positions[np.argsort(key, kind="stable")]


def _directory(spaced: np.ndarray, positions: np.ndarray, offset: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The words before sorted positions, and where the positions after each begin."""
    before = spaced[positions - 1] >> 1
    starts = np.flatnonzero(np.diff(before, prepend=-1)).astype(np.int32)
    return before[starts], starts + np.int32(offset)
