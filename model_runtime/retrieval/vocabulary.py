"""Words and their numbers, and what kind each word is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from model_runtime.retrieval import words
from model_runtime.retrieval.words import Word

GONE = 0  # the id of no word: it separates texts


class Vocabulary:
    """Grows with the texts of a workspace; never with what is being typed, see `Overlay`."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._words: list[str] = [""]
        self._kinds: list[int] = [GONE]
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
        return np.asarray(self._kinds, np.int32)[ids]

    def _add(self, word: str, kind: str) -> int:
        of_kind = self._ids.get(kind)
        if of_kind is None and kind != word:
            of_kind = self._add(kind, kind)
        id = self._ids[word] = len(self._words)
        self._words.append(word)
        self._kinds.append(id if of_kind is None else of_kind)
        return id


class Overlay(Vocabulary):
    """A vocabulary with words of its own above another's, for one request: what is being typed changes with
    every key and would fill the one below."""

    def __init__(self, below: Vocabulary) -> None:
        self._below, self._base = below, len(below)
        self._ids, self._words, self._kinds = {}, [], []
        self.newlines, self.kind_ids = below.newlines, below.kind_ids

    def __len__(self) -> int:
        return self._base + len(self._words)

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


def numbered(found: Iterable[Word], vocabulary: Vocabulary) -> np.ndarray:
    """Words with their spacing: id << 1 | space."""
    return np.fromiter((vocabulary.id(word) << 1 | space for word, space in found), np.int32)


def kinds(spaced: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """The same by kinds of words, spaced alike."""
    return vocabulary.kinds(spaced >> 1) << 1 | (spaced & 1)
