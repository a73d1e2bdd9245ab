"""A document around a hole as the n-gram model sees it, kept from one keystroke to the next.

What is typed in the line of the hole changes nothing here, and so costs nothing. After any other edit the
lines that were seen keep their numbers, and only the sorting is done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from model_runtime.retrieval import words
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.mixture import Mixture, Names, Source
from model_runtime.retrieval.ngram_index import ORDER, Segment, Segments
from model_runtime.retrieval.vocabulary import GONE, Overlay, Vocabulary, of_line

DOCUMENT, PROJECT = 3.0, 1.0  # weights of the sources
FAR = 0.3  # what a place at the other end of the document counts, beside one at the hole
NEAR_LINES = 20  # at which half of the rest is lost
NAMES_LINES = 5  # the same for names
NAMES = 24  # of each kind, the nearest
REMEMBERED = 20_000  # lines whose words are kept

_Words = tuple[list[int], list[int]]  # spaced words, and the same by kinds
_Line = tuple[int, _Words]  # and its indentation, -1 where it has no code


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The lines above and below a hole's line, which is not in it."""

    above: Sequence[str]
    below: Sequence[str]
    vocabulary: Vocabulary
    mixture: Mixture  # knows no names
    context: Sequence[int]  # the last words above, ids
    nearness: Mapping[int, Mapping[int, float]]  # kind -> its words, the nearest first, and how near they are

    def names(self, head: Sequence[int]) -> Names:
        """The words that each kind may stand for, and their shares. `head` are words of the hole's line."""
        added: dict[int, dict[int, float]] = {}
        for word in head:
            if (kind := self.vocabulary.kind(word)) != word:
                of_kind = added.setdefault(kind, {})
                of_kind[word] = of_kind.get(word, 0.0) + 1.0
        return {
            kind: _shares(self.nearness.get(kind, {}), added.get(kind, {}))
            for kind in (*self.nearness, *(each for each in added if each not in self.nearness))
        }


@dataclass(eq=False)
class Document:
    """Remembers the last surroundings of a hole, and the words of lines. Belongs to one thread."""

    _vocabulary: Overlay | None = None
    _lines: dict[str, _Line] = field(default_factory=dict)
    _last: Surroundings | None = None
    _of: Segments | None = None  # the corpus's texts at that time

    def around(self, above: Sequence[str], below: Sequence[str], corpus: Corpus) -> Surroundings:
        last = self._last
        if last and self._of is corpus.exact and last.above == above and last.below == below:
            return last
        overlay = self._vocabulary
        if not overlay or not overlay.is_above(corpus.vocabulary) or len(self._lines) > REMEMBERED:
            overlay, self._lines = Overlay(corpus.vocabulary), {}
        self._vocabulary, self._of = overlay, corpus.exact
        self._last = self._surroundings(above, below, corpus, overlay)
        return self._last

    def _surroundings(
        self, above: Sequence[str], below: Sequence[str], corpus: Corpus, overlay: Overlay
    ) -> Surroundings:
        before, behind = list(self._numbered(above, overlay)), list(self._numbered(below, overlay))
        end = len(below) - 1, _newline(words.LEVEL, overlay)
        parts = [*before, (0, ([GONE], [GONE])), *behind, *([end] if below else [])]
        far = [
            *(len(above) - number for number, _ in before),
            10**9,
            *(number + 1 for number, _ in parts[len(before) + 1 :]),
        ]
        spaced = np.asarray([word for _, (line, _) in parts for word in line], np.int32)
        by_kind = np.asarray([word for _, (_, line) in parts for word in line], np.int32)
        distances = np.repeat(np.asarray(far, np.float32), [len(line) for _, (line, _) in parts])
        weights = (FAR + (1 - FAR) / (1 + distances / NEAR_LINES)).astype(np.float32)
        exact, alike = corpus.sources(PROJECT)
        exact.insert(0, Source(Segments([Segment(spaced, weights)]), DOCUMENT))
        alike.insert(0, Source(Segments([Segment(by_kind, weights)]), DOCUMENT))
        size = sum(len(line) for _, (line, _) in before)
        return Surroundings(
            above,
            below,
            overlay,
            Mixture(exact, alike, overlay.kind),
            (spaced[max(0, size - ORDER) : size] >> 1).tolist(),
            _nearness(spaced >> 1, by_kind >> 1, 1 / (1 + distances / NAMES_LINES)),
        )

    def _numbered(self, lines: Sequence[str], overlay: Overlay) -> Iterator[tuple[int, _Words]]:
        """As `vocabulary.numbered`, by kinds too and in pieces, without the last new line."""
        last = 0
        for number, line in enumerate(lines):
            known = self._lines.get(line)
            if known is None:
                known = self._lines[line] = _line(line, overlay)
            indent, found = known
            if indent >= 0:
                yield number, _newline(words.newline(last, indent), overlay)
                yield number, found
                last = indent


def _line(line: str, vocabulary: Vocabulary) -> _Line:
    if not words.is_code(line):
        return -1, ([], [])
    spaced = of_line(line, vocabulary)
    return words.indent(line), (spaced, [vocabulary.kind(word >> 1) << 1 | (word & 1) for word in spaced])


def _newline(word: str, vocabulary: Vocabulary) -> _Words:
    spaced = [vocabulary.id(word) << 1]
    return spaced, spaced


def _nearness(ids: np.ndarray, by_kind: np.ndarray, near: np.ndarray) -> dict[int, dict[int, float]]:
    """How near the places of each word are that its kind may stand for, added up."""
    named = ids != by_kind
    different, first, place = np.unique(ids[named], return_index=True, return_inverse=True)
    weights = np.bincount(place, near[named], minlength=len(different))
    order = np.argsort(-weights, kind="stable")
    found: dict[int, dict[int, float]] = {}
    for word, kind, weight in zip(
        different[order].tolist(), by_kind[named][first[order]].tolist(), weights[order].tolist(), strict=True
    ):
        found.setdefault(kind, {})[word] = weight
    return found


def _shares(nearest: Mapping[int, float], added: Mapping[int, float]) -> Sequence[tuple[int, float]]:
    """The nearest words with their shares, after some have been `added`."""
    whole = sum(nearest.values()) + sum(added.values())
    best = dict(zip(nearest, islice(nearest.values(), NAMES), strict=False))
    best |= {word: nearest.get(word, 0.0) + weight for word, weight in added.items()}
    ordered = sorted(best.items(), key=lambda item: -item[1])[:NAMES]
    return [(word, weight / whole) for word, weight in ordered]
