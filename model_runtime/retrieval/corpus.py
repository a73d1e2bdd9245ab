"""The texts of a workspace as an index that grows while it is used.

A text that comes or changes costs its own length: new ones are indexed together in a small segment, and
segments of like size are merged now and then, so that each word is sorted a few times in all (a
log-structured merge tree). The work is done in pieces of a few milliseconds, by whoever has a moment; until
then a text is simply not found. A text itself is let go when its words are numbered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from model_runtime.retrieval.mixture import Source
from model_runtime.retrieval.ngram_index import MOST_WORDS, Segment, Segments, Span
from model_runtime.retrieval.vocabulary import GONE, Vocabulary, kinds, numbered

TOGETHER = 25_000  # words that are made a segment at once
LARGEST = 1_000_000  # words of a segment: while it is made it takes twice its memory
SMALL = 20_000  # words of a segment that is merged with the next one, whatever their sizes
KINDS = 500_000  # words at most whose kinds are indexed too: alike contexts are common, a part shows them all
MOST = 8_000_000  # words of a workspace; what comes later is left out
_LINES = 200  # that are numbered at once


@dataclass(eq=False)
class _Part:
    """A segment, the same by kinds, and where each text stands in it."""

    exact: Segment
    alike: Segment | None
    spans: dict[str, Span]

    def __post_init__(self) -> None:
        self.words = sum(end + 1 - start for start, end in self.spans.values())

    def drop(self, key: str) -> None:
        if span := self.spans.pop(key, None):
            self.words -= span[1] + 1 - span[0]
            for segment in (self.exact, self.alike):
                if segment:
                    segment.forget(*span)

    @property
    def is_sparse(self) -> bool:
        """Whether half of it is gone."""
        return 2 * self.words < len(self.exact)


@dataclass(eq=False)
class Corpus:
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    _parts: list[_Part] = field(default_factory=list)  # the largest first
    _waiting: dict[str, str] = field(default_factory=dict)  # key -> text
    _fresh: dict[str, np.ndarray] = field(default_factory=dict)  # numbered, not indexed
    _fresh_words: int = 0
    _work: Iterator[None] | None = None  # what has been begun
    exact: Segments = field(
        default_factory=lambda: Segments([])
    )  # the parts as one; another when they change
    _alike: Segments = field(default_factory=lambda: Segments([]))  # the same by kinds

    @classmethod
    def of(cls, texts: Sequence[str]) -> Corpus:
        """Of a few texts, indexed at once."""
        corpus = cls()
        for n, text in enumerate(texts):
            corpus.put(str(n), text)
        while corpus.work(1.0):
            pass
        return corpus

    def put(self, key: str, text: str) -> None:
        """A text, in place of the one that had its key."""
        self.drop(key)
        self._waiting[key] = text

    def drop(self, key: str) -> None:
        self._waiting.pop(key, None)
        if key in self._fresh:
            self._fresh_words -= len(self._fresh.pop(key))
        for part in self._parts:
            if key in part.spans:
                part.drop(key)
                self._changed()

    def work(self, seconds: float) -> bool:
        """Index what waits, for about so long; whether something still waits."""
        until = time.perf_counter() + seconds
        self._work = self._work or self._indexing()
        for _ in self._work:
            if time.perf_counter() >= until:
                return True
        self._work = None
        return False

    def sources(self, weight: float) -> tuple[list[Source], list[Source]]:
        """Indexes over words and over kinds; none where nothing is indexed."""
        if not self._parts:
            return [], []
        return [Source(self.exact, weight)], [Source(self._alike, weight)]

    def __len__(self) -> int:
        """Words that are indexed or about to be."""
        return self._fresh_words + sum(part.words for part in self._parts)

    def _indexing(self) -> Iterator[None]:
        """All that there is to do. Between two pieces texts may come and go."""
        while True:
            if self._fresh and (self._fresh_words >= TOGETHER or not self._waiting):
                yield from self._index(dict(self._fresh))
            elif few := self._to_merge():
                yield from self._merge(few)
            elif self._waiting:
                yield from self._number(next(iter(self._waiting)))
            else:
                return
            yield

    def _number(self, key: str) -> Iterator[None]:
        text = self._waiting[key]
        found: list[np.ndarray] = [np.empty(0, np.int32)]
        if len(self) < MOST and len(self.vocabulary) < MOST_WORDS // 2:
            lines = numbered(text.split("\n"), self.vocabulary)
            while some := [word for _, line in islice(lines, _LINES) for word in line]:
                found.append(np.asarray(some, np.int32))
                yield
        if self._waiting.get(key) is text:
            del self._waiting[key]
            self._fresh[key] = np.concatenate(found)
            self._fresh_words += len(self._fresh[key])

    def _index(self, texts: dict[str, np.ndarray]) -> Iterator[None]:
        """Put texts into a part of their own."""
        spans, at = {}, 0
        for key, found in texts.items():
            spans[key] = at, at + len(found)
            at += len(found) + 1
        gap = np.full(1, GONE, np.int32)
        spaced = np.concatenate([each for found in texts.values() for each in (found, gap)])
        exact = Segment(spaced)
        yield
        part = _Part(exact, Segment(kinds(spaced, self.vocabulary)), spans)
        for key, found in texts.items():
            if self._fresh.get(key) is found:
                self._fresh_words -= len(self._fresh.pop(key))
            else:
                part.drop(key)
        self._parts.append(part)
        self._changed()

    def _to_merge(self) -> list[_Part]:
        """Parts that are better one: a sparse one by itself, or the smallest two of like size."""
        if sparse := [part for part in self._parts if part.is_sparse]:
            return sparse[:1]
        pairs = zip(reversed(self._parts[:-1]), reversed(self._parts), strict=False)
        for more, less in pairs:
            like = more.words < max(SMALL, 3 * less.words)
            if like and more.words + less.words <= LARGEST:
                return [more, less]
        return []

    def _merge(self, parts: list[_Part]) -> Iterator[None]:
        live = [dict(part.spans) for part in parts]
        places = [list(each.values()) for each in live]
        size = sum(part.words for part in parts)
        alike = [part.alike for part in parts if part.alike] if size <= KINDS else []
        work = [Segment.merged(list(zip([part.exact for part in parts], places, strict=True)))]
        if len(alike) == len(parts):
            work.append(Segment.merged(list(zip(alike, places, strict=True))))
        for each in work:
            next(each)  # copies the words, while no text can be dropped
        yield
        merged: list[Segment] = []
        for each in work:
            merged.append((yield from each))
        spans, at = {}, 0
        for each in live:
            for key, (start, end) in each.items():
                spans[key] = at, at + end - start
                at += end + 1 - start
        part = _Part(merged[0], merged[1] if len(merged) > 1 else None, spans)
        for key in [key for key in spans if not any(key in each.spans for each in parts)]:
            part.drop(key)  # while they were merged
        self._parts = [*(each for each in self._parts if each not in parts), part]
        self._changed()

    def _changed(self) -> None:
        self._parts = sorted((each for each in self._parts if each.words), key=lambda each: -each.words)
        alike = [each.alike for each in self._parts if each.alike]
        self.exact = Segments([each.exact for each in self._parts])
        self._alike = Segments(alike)
