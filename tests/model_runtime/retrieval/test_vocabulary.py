from __future__ import annotations

import numpy as np

from model_runtime.retrieval import words
from model_runtime.retrieval.vocabulary import Overlay, Vocabulary, kinds, numbered, of_line


def test_lines_stand_behind_a_word_for_their_depth() -> None:
    text = ["def f():", "    # a comment", "", "    return 1", "g()"]
    vocabulary = Vocabulary()
    found = [
        (number, [vocabulary.word(each >> 1) for each in line]) for number, line in numbered(text, vocabulary)
    ]
    assert found == [
        (0, [words.LEVEL, "def", "f", "(", ")", ":"]),
        (3, [words.DEEPER, "return", "1"]),
        (4, [words.SHALLOWER, "g", "(", ")"]),
        (4, [words.LEVEL]),
    ]
    assert list(numbered([], vocabulary)) == []


def test_a_word_is_the_same_however_it_is_spaced() -> None:
    vocabulary = Vocabulary()
    apart, *_, together = of_line(" x= x", vocabulary)
    assert (apart >> 1, apart & 1, together & 1) == (together >> 1, 0, 1)


def test_an_overlay_keeps_its_words_to_itself() -> None:
    below = Vocabulary()
    shared, before = below.id("shared"), len(below)
    overlay = Overlay(below)
    own = overlay.id("own")
    assert overlay.id("shared") == shared
    assert (overlay.word(own), overlay.word(shared)) == ("own", "shared")
    assert overlay.kind(own) == overlay.known(words.NAME)
    assert len(below) == before
    assert len(overlay) == before + 1
    assert overlay.is_above(below)
    below.id("later")
    assert not overlay.is_above(below)
    assert not overlay.is_above(Vocabulary())


def test_kinds_keep_their_spacing() -> None:
    for vocabulary in (Vocabulary(), Overlay(Vocabulary())):
        spaced = np.asarray(of_line("total += Price(42)", vocabulary), np.int32)
        found = [(vocabulary.word(each >> 1), each & 1) for each in kinds(spaced, vocabulary).tolist()]
        assert [word for word, _ in found] == [words.NAME, "+", "=", words.TYPE, "(", words.NUMBER, ")"]
        assert [space for _, space in found] == (spaced & 1).tolist()
