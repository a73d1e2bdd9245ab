"""Texts for a hole by the n-gram model, from the text around it and the corpus of its workspace.

It also scores any candidate for the ranking, whatever proposed it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from model_runtime.retrieval import composer, words
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.document import Document
from model_runtime.retrieval.line import LineSyntax
from model_runtime.retrieval.nearby import Nearby

FOLLOWING = 3  # words behind the hole that a text is judged by


@dataclass(frozen=True, slots=True)
class Composition:
    text: str
    logprob: float  # nats, the end included


class NgramModel:
    """For one hole between `before` and `after`, texts of its document."""

    def __init__(
        self, before: str, after: str, corpus: Corpus | None = None, document: Document | None = None
    ) -> None:
        """`document` remembers what the next model of the same document needs again."""
        *above, self._head = before.split("\n")
        self._tail, *below = after.split("\n")
        around = (document or Document()).around(above, below, corpus or Corpus())
        self._vocabulary = around.vocabulary
        self._head_words = words.of_line(self._head)
        head_ids = [self._vocabulary.id(word) for word, _ in self._head_words]
        self._mixture = around.mixture.naming(around.names(head_ids))
        above_indent = next((words.indent(line) for line in reversed(above) if words.is_code(line)), 0)
        bare = not self._head.strip()
        self._indent = len(self._head) if bare else words.indent(self._head)
        opening = self._vocabulary.id(words.newline(above_indent, self._indent))
        self._context = [*around.context, opening, *head_ids]
        self._below = next((line for line in below if words.is_code(line)), "")
        self.standing: words.Standing = words.standing(self._head)
        self.inside = bool(self._tail.strip())
        self.nearby = Nearby(above, self._head, self._tail, below)
        last = self._head_words[-1][0] if self._head_words else ""
        self._unfinished = last if last == words.unfinished(self._head) else ""  # a name or a whole number
        ending = words.of_line(self._tail)
        self._ends = {self._vocabulary.id(ending[0][0])} if ending else set(self._vocabulary.newlines)
        self._line = LineSyntax(self._vocabulary, self._mixture, above, self._head_words, ending)

    def compose(self) -> list[Composition]:
        """The likeliest first, each another text."""
        found: dict[str, Composition] = {}
        if self._unfinished:
            whole, longer = self._typed
            self._gather(found, self._context[:-1], self._unfinished, longer / (whole + longer))
            self._gather(found, self._context, "", whole / (whole + longer))
        else:
            self._gather(found, self._context, "")
        return sorted(found.values(), key=lambda each: -each.logprob)[: composer.MOST]

    def scored(self, text: str) -> tuple[float, float]:
        """Nats of a text in the hole, given what is typed of a name before it, and of the words that follow
        the hole after the text."""
        first, *more = text.split("\n")
        line, indent = words.of_line(self._head + first), self._indent
        shared = 0  # words of the head that the text does not go on with
        for mine, theirs in zip(self._head_words, line, strict=False):
            if mine[0] != theirs[0]:
                break
            shared += 1
        context = self._context[: len(self._context) - len(self._head_words) + shared]
        ids = self._ids(line[shared:])
        for each in filter(words.is_code, more):
            ids += self._ids(words.with_newline(each, indent))
            indent = words.indent(each)
        own = composer.logprob(self._mixture, context, ids)
        if self._unfinished:  # a text that takes the name to be whole pays for that, as others for theirs
            whole, longer = self._typed
            own += math.log((whole if shared == len(self._head_words) else 1.0) / (whole + longer))
        return min(own, 0.0), composer.logprob(self._mixture, [*context, *ids], self._following(indent))

    @cached_property
    def _typed(self) -> tuple[float, float]:
        """How likely what is typed of a name is to be the whole name, and how likely to be its beginning."""
        whole = longer = 0.0
        for spaced, share in self._mixture.after(self._context[:-1]).shares.items():
            word = self._vocabulary.word(spaced >> 1)
            if word == self._unfinished:
                whole = share
            elif word.startswith(self._unfinished):
                longer += share
        return whole or composer.UNSEEN, longer or composer.UNSEEN

    def _following(self, indent: int) -> list[int]:
        """The words behind the hole, where the last line in it is indented so far."""
        found = words.of_line(self._tail)
        if not found and self._below:
            found = words.with_newline(self._below, indent)
        return self._ids(found[:FOLLOWING])

    def _ids(self, found: Sequence[words.Word]) -> list[int]:
        return [self._vocabulary.id(word) for word, _ in found]

    def _gather(
        self, found: dict[str, Composition], context: Sequence[int], unfinished: str, share: float = 1.0
    ) -> None:
        """Texts after `context`, those that go on with a name where one is `unfinished`. `share` is the
        chance of all of these."""
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
            logprob = each.logprob + math.log(share)
            if text not in found or found[text].logprob < logprob:
                found[text] = Composition(text, logprob)
