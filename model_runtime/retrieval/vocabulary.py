"""Words and their numbers, and what kind each word is."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from model_runtime.retrieval import words

GONE = 0  # the id of no word: it separates texts


class Vocabulary:
    """Grows with the texts of a workspace; never with what is being typed, see `Overlay`."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._words: list[str] = [""]
        self._kinds = array("i", [GONE])
        for each in (*words.KINDS, *words.NEWLINES):
            self._add(each, each)
        self.newlines = frozenset(self._ids[each] for each in words.NEWLINES)
        self.kind_ids = frozenset(self._ids[each] for each in words.KINDS)

    def __len__(self) -> int:
        return len(self._words)

    def id(self, word: str) -> int:
        found = self._ids.get(word)
        return self._add(word, words.kind(word)) if found is None else found

    def known(self, word: str) -> int:
        """The word's id, GONE if it has none."""
        return self._ids.get(word, GONE)

    def word(self, id: int) -> str:
        return self._words[id]

    def kind(self, id: int) -> int:
        return self._kinds[id]

    def kinds(self, ids: np.ndarray) -> np.ndarray:
        """Of many, int32."""
        return np.array(self._kinds, np.int32)[ids]

    def _add(self, word: str, kind: str) -> int:
        of_kind = self._ids.get(kind)
        if of_kind is None and kind != word:
            of_kind = self._add(kind, kind)
        id = self._ids[word] = len(self._words)
        self._words.append(word)
        self._kinds.append(id if of_kind is None else of_kind)
        return id


class Overlay(Vocabulary):
    """A vocabulary with words of its own above another's, for one document: what is being typed changes with
    every key and would fill the one below. It is of use until the one below has grown."""

    def __init__(self, below: Vocabulary) -> None:
        self._below, self._base = below, len(below)
        self._ids, self._words, self._kinds = {}, [], array("i")
        self.newlines, self.kind_ids = below.newlines, below.kind_ids

    def __len__(self) -> int:
        return self._base + len(self._words)

    def is_above(self, below: Vocabulary) -> bool:
        """Whether it is still an overlay of this one."""
        return below is self._below and len(below) == self._base

    def id(self, word: str) -> int:
        return self._below.known(word) or self._ids.get(word) or self._add(word, words.kind(word))

    def known(self, word: str) -> int:
        return self._below.known(word) or self._ids.get(word, GONE)

    def word(self, id: int) -> str:
        return self._below.word(id) if id < self._base else self._words[id - self._base]

    def kind(self, id: int) -> int:
        return self._below.kind(id) if id < self._base else self._kinds[id - self._base]

    def kinds(self, ids: np.ndarray) -> np.ndarray:
        return np.asarray([self.kind(id) for id in ids.tolist()], np.int32)

    def _add(self, word: str, kind: str) -> int:
        id = self._ids[word] = len(self)
        self._words.append(word)
        self._kinds.append(id)
        if kind != word:
            self._kinds[id - self._base] = self.known(kind) or self._add(kind, kind)
        return id


def numbered(lines: Iterable[str], vocabulary: Vocabulary) -> Iterator[tuple[int, list[int]]]:
    """Lines of code in spaced words (id << 1 | space), each behind a word for its new line, with their
    numbers. Behind the last line comes one more new line."""
    last, number = 0, -1
    for number, line in enumerate(lines):
        if words.is_code(line):
            here = words.indent(line)
            yield number, [vocabulary.id(words.newline(last, here)) << 1, *of_line(line, vocabulary)]
            last = here
    if number >= 0:
        yield number, [vocabulary.id(words.LEVEL) << 1]


def of_line(line: str, vocabulary: Vocabulary) -> list[int]:
    """Spaced words of one line, without its indentation."""
    id = vocabulary.id
    return [id(word) << 1 | space for word, space in words.split(line)]


def kinds(spaced: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """The same by kinds of words, spaced alike."""
    return vocabulary.kinds(spaced >> 1) << 1 | (spaced & 1)
