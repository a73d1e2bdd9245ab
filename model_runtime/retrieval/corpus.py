"""The texts of a workspace as an index that grows while it is used.

A text that comes or changes costs its own length: new ones are indexed together in a small segment, and
segments of like size are merged now and then, so that each word is sorted a few times in all (a
log-structured merge tree). The work is done in slices, by whoever has a moment; until then a text is simply
not found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model_runtime.retrieval import words
from model_runtime.retrieval.mixture import Source
from model_runtime.retrieval.ngram_index import MOST_WORDS, Segment
from model_runtime.retrieval.vocabulary import GONE, Vocabulary, kinds, numbered

TOGETHER = 100_000  # words that are made a segment at once
KINDS = 500_000  # words at most whose kinds are indexed too: alike contexts are common, a part shows them all
MOST = 8_000_000  # words of a workspace; what comes later is left out


@dataclass(eq=False)
class _Part:
    """A segment, the same by kinds, and where each text stands in it."""

    exact: Segment
    alike: Segment | None
    spans: dict[str, tuple[int, int]]


@dataclass(eq=False)
class Corpus:
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    _parts: list[_Part] = field(default_factory=list)  # the largest first
    _waiting: dict[str, str] = field(default_factory=dict)  # key -> text
    _fresh: dict[str, np.ndarray] = field(default_factory=dict)  # numbered, not indexed
    _fresh_words: int = 0

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
            if span := part.spans.pop(key, None):
                part.exact.forget(*span)
                if part.alike:
                    part.alike.forget(*span)

    def work(self, seconds: float) -> bool:
        """Index what waits, for about so long (a merge is not interrupted); whether something still waits."""
        until = time.perf_counter() + seconds
        while self._waiting and time.perf_counter() < until:
            key = next(iter(self._waiting))
            text = self._waiting.pop(key)
            if len(self) < MOST and len(self.vocabulary) < MOST_WORDS // 2:
                found = (word for _, word in words.of_lines(text.split("\n")))
                self._fresh[key] = numbered(found, self.vocabulary)
                self._fresh_words += len(self._fresh[key])
        if self._fresh_words >= TOGETHER or (self._fresh and not self._waiting):
            self._parts.append(self._part(self._fresh))
            self._fresh, self._fresh_words = {}, 0
        elif len(self._parts) > 1 and len(self._parts[-2].exact) < 3 * len(self._parts[-1].exact):
            last, before = self._parts.pop(), self._parts.pop()
            self._parts.append(self._part(dict([*_texts(before), *_texts(last)])))
        else:
            return bool(self._waiting)
        return True

    def sources(self, weight: float) -> tuple[list[Source], list[Source]]:
        """Indexes over words and over kinds."""
        exact = [Source(part.exact, weight) for part in self._parts]
        return exact, [Source(part.alike, weight) for part in self._parts if part.alike]

    def __len__(self) -> int:
        """Words that are indexed or about to be."""
        return self._fresh_words + sum(len(part.exact) for part in self._parts)

    def _part(self, texts: dict[str, np.ndarray]) -> _Part:
        spans, at = {}, 0
        for key, spaced in texts.items():
            spans[key] = at, at + len(spaced)
            at += len(spaced) + 1
        gap = np.full(1, GONE, np.int32)
        spaced = np.concatenate([each for found in texts.values() for each in (found, gap)])
        alike = Segment(kinds(spaced, self.vocabulary)) if len(spaced) <= KINDS else None
        return _Part(Segment(spaced), alike, spans)


def _texts(part: _Part) -> Iterator[tuple[str, np.ndarray]]:
    for key, (start, end) in part.spans.items():
        yield key, part.exact.spaced[start:end]
