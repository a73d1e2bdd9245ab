"""What is kept of a document makes no difference but to the time."""

from __future__ import annotations

import random

import pytest

from model_runtime.retrieval import document as module
from model_runtime.retrieval import words
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.document import Document
from model_runtime.retrieval.ngram import NgramModel

ABOVE = ["def area(width, height):", "    return width * height", "", "# a comment", "total = area(width, 2)"]
BELOW = ["print(total)", "    "]


def check_same(model: NgramModel, other: NgramModel) -> None:
    found, expected = model.compose(), other.compose()
    assert [each.logprob for each in found] == pytest.approx([each.logprob for each in expected])
    least = min((each.logprob for each in expected), default=0.0)  # of as likely ones either may be left out
    sure = {each.text for each in expected if each.logprob > least + 1e-6}
    assert sure <= {each.text for each in found}
    for text in [*sure, "area(", "x", ""]:
        assert model.scored(text) == pytest.approx(other.scored(text))


def test_what_is_typed_in_the_line_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, document = Corpus.of(["a = area(b)\n"]), Document()
    before, after = "\n".join([*ABOVE, ""]), "\n".join(["", *BELOW])
    NgramModel(before, after, corpus, document)
    for typed in ("t", "to", "total", "total =", "total = a", "total = are", "total"):
        with monkeypatch.context() as without:
            without.setattr(module, "Segment", None)  # nothing is sorted
            without.setattr(module, "_line", None)  # and no line numbered
            model = NgramModel(before + typed, after, corpus, document)
        check_same(model, NgramModel(before + typed, after, corpus))


def test_only_lines_that_are_new_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, document, seen = Corpus(), Document(), list[str]()
    document.around(ABOVE, BELOW, corpus)
    numbered = module._line
    monkeypatch.setattr(module, "_line", lambda line, own: (seen.append(line), numbered(line, own))[1])
    document.around([*ABOVE, "new = 1"], BELOW, corpus)
    assert seen == ["new = 1"]


@pytest.mark.parametrize("seed", range(4))
def test_it_makes_no_difference(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines come and go, the corpus changes, the vocabulary grows."""
    monkeypatch.setattr(module, "REMEMBERED", 12)
    rng, corpus, document = random.Random(seed), Corpus.of(["a = area(b)\n"]), Document()
    lines = [*ABOVE, *BELOW]
    for step in range(12):
        match rng.randrange(4):
            case 0:
                lines.insert(rng.randrange(len(lines)), f"value_{rng.randrange(9)} = area({step}, Width)")
            case 1 if len(lines) > 3:
                del lines[rng.randrange(len(lines))]
            case 2:
                corpus.put(f"{rng.randrange(3)}", f"total = value_{step}(other_{rng.randrange(4)})\n")
                while corpus.work(1.0):
                    pass
            case _:
                pass
        at = rng.randrange(len(lines))
        cut = rng.randrange(len(lines[at]) + 1)
        before = "\n".join([*lines[:at], lines[at][:cut]])
        after = "\n".join(["", *lines[at + 1 :]])
        check_same(NgramModel(before, after, corpus, document), NgramModel(before, after, corpus))


def test_names_are_those_near_by() -> None:
    corpus = Corpus()
    around = Document().around(["far = 1", *["x.y()"] * 30, "near = 1"], [], corpus)
    of_names = around.vocabulary.id(words.NAME)
    shares = {around.vocabulary.word(word): share for word, share in around.names([])[of_names]}
    assert shares["near"] > 3 * shares["far"]
    assert sum(shares.values()) == pytest.approx(1.0)
    typed = around.vocabulary.id("typed")
    shares = {around.vocabulary.word(word): share for word, share in around.names([typed])[of_names]}
    assert shares["typed"] > shares["near"]
    assert sum(shares.values()) == pytest.approx(1.0)
    constant = around.vocabulary.id("MOST")
    assert around.names([constant])[around.vocabulary.id(words.CONSTANT)] == [(constant, 1.0)]


def test_a_document_of_one_line() -> None:
    around = Document().around([], [], Corpus())
    assert around.context == []
    assert around.names([]) == {}
