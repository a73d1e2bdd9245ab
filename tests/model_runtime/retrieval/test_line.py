"""Which words a line may hold and end with."""

from __future__ import annotations

import pytest

from model_runtime.retrieval import words
from model_runtime.retrieval.line import open_brackets
from model_runtime.retrieval.ngram import NgramModel


@pytest.mark.parametrize(
    ("line", "above", "left"),
    [
        ("f(x)", "", ""),
        ("f(x, [y", "", "(["),
        ("y]) + g(", "([", "("),
        ("x)", "", ""),
        ("x]", "(", "("),
        ("if (a) {", "", "{"),
    ],
)
def test_open_brackets(line: str, above: str, left: str) -> None:
    assert open_brackets(words.of_line(line), above) == left


SEEN = "total = price(count, [tax])\nrate = price(count,\n    tax)\n" * 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SEEN + "x = ", "\n"),
        (SEEN + "x = price(", "\n"),
        (SEEN + "x = price(", ")\n"),
        (SEEN + "x = [price(", "\n"),
        (SEEN + "x = price(\n    ", "\n)\n"),
    ],
)
def test_what_is_composed_closes_what_it_opens_or_ends_where_lines_do(before: str, after: str) -> None:
    found = NgramModel(before, after).compose()
    assert found
    head, tail = before.rpartition("\n")[2], after.partition("\n")[0]
    above = "(" if before.endswith("(\n    ") else ""
    for each in found:
        line = head + each.text + tail
        left = open_brackets(words.of_line(line), above)
        assert len(left) <= len(above) or line.endswith((",", "(", "[")), line
        assert not line.endswith("="), line


def test_a_bracket_that_is_not_open_is_not_closed() -> None:
    found = NgramModel("foo(bar)\nfoo(bar)\nbaz = bar", "\n").compose()
    assert all(")" not in each.text or "(" in each.text for each in found)
