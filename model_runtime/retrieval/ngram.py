"""Texts for a hole by the n-gram model, from the text around it and the corpus of its workspace.

It also scores any candidate for the ranking, whatever proposed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_runtime.retrieval import composer, words
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.line import LineSyntax
from model_runtime.retrieval.mixture import Mixture, Source
from model_runtime.retrieval.ngram_index import ORDER, Segment
from model_runtime.retrieval.vocabulary import GONE, Overlay, kinds, numbered

DOCUMENT, PROJECT = 3.0, 1.0  # weights of the sources
FAR = 0.3  # what a place at the other end of the document counts, beside one at the hole
NEAR_LINES = 20  # at which half of the rest is lost
NAMES_LINES = 5  # the same for names
FOLLOWING = 3  # words behind the hole that a text is judged by
NAMES = 24  # of each kind, the nearest


@dataclass(frozen=True, slots=True)
class Composition:
    text: str
    logprob: float  # nats, the end included


class NgramModel:
    """For one hole between `before` and `after`, texts of its document."""

    def __init__(self, before: str, after: str, corpus: Corpus | None = None) -> None:
        corpus = corpus or Corpus()
        self._vocabulary = Overlay(corpus.vocabulary)
        *above, self._head = before.split("\n")
        self._tail, *below = after.split("\n")
        spaced, distances, hole = self._document(above, below)
        near = 1 / (1 + distances / NEAR_LINES)
        weights = (FAR + (1 - FAR) * near).astype(np.float32)
        ids = spaced >> 1
        self._head_words = words.of_line(self._head)
        head_ids = [self._vocabulary.id(word) for word, _ in self._head_words]
        exact, alike = corpus.sources(PROJECT)
        exact.insert(0, Source(Segment(spaced, weights), DOCUMENT))
        alike.insert(0, Source(Segment(kinds(spaced, self._vocabulary), weights), DOCUMENT))
        recent = 1 / (1 + distances / NAMES_LINES)
        self._mixture = Mixture(exact, alike, self._vocabulary.kind, self._names(ids, recent, head_ids))
        above_indent = next((words.indent(line) for line in reversed(above) if words.is_code(line)), 0)
        bare = not self._head.strip()
        here = len(self._head) if bare else words.indent(self._head)
        opening = self._vocabulary.id(words.newline(above_indent, here))
        self._context = [*ids[max(0, hole - ORDER) : hole].tolist(), opening, *head_ids]
        ending = words.of_line(self._tail)
        below_code = [line for line in below if words.is_code(line)][:1]
        if not ending and below_code:
            ending = (
                (words.newline(here, words.indent(below_code[0])), False),
                *words.of_line(below_code[0]),
            )
        self.inside = bool(self._tail.strip())
        self._following = [self._vocabulary.id(word) for word, _ in ending[:FOLLOWING]]
        ending = words.of_line(self._tail)
        self._ends = {self._vocabulary.id(ending[0][0])} if ending else set(self._vocabulary.newlines)
        self._line = LineSyntax(self._vocabulary, self._mixture, above, self._head_words, ending)

    def compose(self) -> list[Composition]:
        """The likeliest first, each another text."""
        found: dict[str, Composition] = {}
        if unfinished := words.unfinished(self._head):
            self._gather(found, self._context[:-1], unfinished)
        self._gather(found, self._context, "")
        return sorted(found.values(), key=lambda each: -each.logprob)[: composer.MOST]

    def scored(self, text: str) -> tuple[float, float]:
        """Nats of a text in the hole, and of the words that follow the hole after it."""
        line = words.of_line(self._head + text)
        shared = 0  # words of the head that the text does not go on with
        for mine, theirs in zip(self._head_words, line, strict=False):
            if mine[0] != theirs[0]:
                break
            shared += 1
        context = self._context[: len(self._context) - len(self._head_words) + shared]
        ids = [self._vocabulary.id(word) for word, _ in line[shared:]]
        own = composer.logprob(self._mixture, context, ids)
        return own, composer.logprob(self._mixture, [*context, *ids], self._following)

    def _gather(self, found: dict[str, Composition], context: Sequence[int], unfinished: str) -> None:
        after_blank = self._head[-1:] == " " and bool(self._head.strip())
        indented = not self._head.strip()

        def may_begin(spaced: int) -> bool:
            if unfinished:
                word = self._vocabulary.word(spaced >> 1)
                return len(word) > len(unfinished) and word.startswith(unfinished)
            return bool(spaced & 1) or not after_blank

        for each in composer.compose(self._mixture, context, self._ends.__contains__, may_begin, self._line):
            text = words.spelled([(self._vocabulary.word(word >> 1), bool(word & 1)) for word in each.words])
            if unfinished:
                text = text.lstrip(" ")[len(unfinished) :]
            elif after_blank or indented:
                text = text.removeprefix(" ")
            if text not in found or found[text].logprob < each.logprob:
                found[text] = Composition(text, each.logprob)

    def _document(self, above: Sequence[str], below: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """Spaced words of the document around the hole, their distances from it in lines, and its place."""
        first, second = list(words.of_lines(above))[:-1], list(words.of_lines(below))
        spaced = numbered((word for _, word in [*first, *second]), self._vocabulary)
        hole = len(first)
        distances = [len(above) - line for line, _ in first] + [line + 1 for line, _ in second]
        return (
            np.insert(spaced, hole, GONE),
            np.insert(np.asarray(distances, np.float32), hole, 1e9),
            hole,
        )

    def _names(
        self, ids: np.ndarray, near: np.ndarray, head: Sequence[int]
    ) -> dict[int, list[tuple[int, float]]]:
        """The words of the document that each kind may stand for, and their shares."""
        vocabulary = self._vocabulary
        weights: dict[int, dict[int, float]] = defaultdict(dict)
        pairs = [*zip(ids.tolist(), near.tolist(), strict=True), *((word, 1.0) for word in head)]
        for word, weight in pairs:
            kind = vocabulary.kind(word)
            if kind in vocabulary.kind_ids and word != kind:
                weights[kind][word] = weights[kind].get(word, 0.0) + weight
        found = {}
        for kind, each in weights.items():
            whole = sum(each.values())
            best = sorted(each.items(), key=lambda item: -item[1])[:NAMES]
            found[kind] = [(word, weight / whole) for word, weight in best]
        return found
