"""What is composed, and what it is said to be worth."""

from __future__ import annotations

import math

import pytest

from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.ngram import NgramModel

BOOK = """\
class Order:
    def total(self, items):
        price = self.tax.rate(items)
        return round(price, 2)

    def weight(self, items):
        weight = self.scale.weigh(items)
        return round(weight, 3)
"""


def corpus_of(*texts: str) -> Corpus:
    corpus = Corpus()
    for n, text in enumerate(texts):
        corpus.put(str(n), text)
    while corpus.work(0.01):
        pass
    return corpus


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (BOOK + "x = self.tax.", "\n", "rate(items)"),
        (BOOK + "x = self.tax.ra", "\n", "te(items)"),  # a name that is being written
        (BOOK + "x = self.scale.weigh(", ")\n", "items"),  # up to what stands behind the hole
        (BOOK + "        return round(price,", "\n", " 2)"),  # spaced as elsewhere
        (BOOK + "        return round(price, ", "\n", "2)"),
        (BOOK + "    def size(self", "\n", ", items):"),
    ],
)
def test_the_likeliest_text(before: str, after: str, expected: str) -> None:
    found = [each.text for each in NgramModel(before, after).compose()]
    assert found[0] == expected
    assert len(set(found)) == len(found)


def test_it_composes_what_stands_nowhere_as_a_whole() -> None:
    counted = "b = shop.stock(name).count()\nc = shop.users(name).count()\nd = shop.items(name).count()\n"
    corpus = corpus_of("a = shop.orders(name)\n", counted)
    found = [each.text for each in NgramModel("z = shop.orders(", "\n", corpus).compose()]
    assert "name).count()" in found


def test_a_name_that_is_new_to_a_context_is_one_from_near_by() -> None:
    before = "def area(width, height):\n    print(width)\n    height = 3\n    foo("
    found = [each.text for each in NgramModel(before, "\n").compose()]
    assert any("height" in text for text in found)


def test_the_document_counts_more_than_the_project() -> None:
    corpus = corpus_of("total = there(1)\n")
    assert NgramModel("total = here(1)\ntotal = ", "\n", corpus).compose()[0].text == "here(1)"


def test_a_text_is_worth_the_chances_of_its_words() -> None:
    model = NgramModel("a = f(x)\na = f(x)\na = g(y)\na = ", "\nb = 1\n")
    likely, after = model.scored("f(x)")
    unlikely, _ = model.scored("g(y)")
    unknown, _ = model.scored("never.seen(before)")
    assert 0 > likely > unlikely > unknown
    assert after < 0
    assert math.isfinite(unknown)


NAMES = "place = spot(1)\n" * 6 + "plan = spot(2)\n" * 2 + "text = place\nmore = place\n"


@pytest.mark.parametrize(
    ("head", "likelier", "than"),
    [
        ("text = plac", "e", "(1)"),  # no such name yet: it goes on
        ("text = plac", "e", " = spot(2)"),
        ("text = pla", "ce", "n"),
        ("text = place", "", "ment"),  # a name that is known, and no longer one is
    ],
)
def test_a_name_half_typed_goes_on(head: str, likelier: str, than: str) -> None:
    model = NgramModel(NAMES + head, "\n")
    assert model.scored(likelier)[0] > model.scored(than)[0] + 1


def test_what_follows_a_typed_name_is_given_it() -> None:
    """The chances of all texts are one in all, whether the name is whole or goes on."""
    for head in ("text = plac", "text = place"):
        model = NgramModel(NAMES + head, "\n")
        whole = sum(math.exp(each.logprob) for each in model.compose())
        assert 0.05 < whole <= 1.0 + 1e-6
        for each in model.compose()[:3]:  # its end is in what was composed
            assert each.logprob <= model.scored(each.text)[0] + 1e-6


def test_a_number_with_a_point_is_no_name_half_typed() -> None:
    model = NgramModel("a = f(1999)\nb = f(1999)\nc = f(3.1", ")\n")
    assert not any(each.text.startswith("999") for each in model.compose())


def test_lines_of_a_text_are_told_apart() -> None:
    """What begins a line is likelier there, and what follows the hole follows the last of them."""
    model = NgramModel("a = f(x)\nif a:\n    b()\n" * 3 + "a = ", "\na = f(x)\n")
    lines, after = model.scored("f(x)\nif a:\n    b()")
    one, after_one = model.scored("f(x) if a: b()")
    deeper, after_deeper = model.scored("f(x)\n    if a:\n        b()")
    assert lines > one
    assert lines > deeper
    assert after_one < after
    assert after_deeper <= after


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("", "\n"), ("\n\n", "\n"), ("x", ""), ("    ", "\n")]
)
def test_nothing_to_go_by_is_no_fault(before: str, after: str) -> None:
    model = NgramModel(before, after)
    assert model.compose() == [] or all(each.logprob <= 0 for each in model.compose())
    assert math.isfinite(model.scored("x = 1")[0])
