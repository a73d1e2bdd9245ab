from __future__ import annotations

import pytest

from lsp_server.context.snippet_retrieval import AFTER, BEFORE, MOST, pieces


@pytest.mark.parametrize(
    ("before", "texts", "expected"),
    [
        ("    return open(", ["with open(x)", "return open(path)\n"], ["return open(path)\n"]),
        ("x = compute(", ["a\ny = compute(1)\nb"], ["a\ny = compute(1)\nb"]),
        ("compute(", ["compute(1)\n", "compute(1)\n"], ["compute(1)\n"]),  # the same goes on after both
        ("ab = compute(", ["compute(1)\n", "ab = compute(2)\n"], ["compute(1)\n", "ab = compute(2)\n"]),
        ("f(", ["f(1)"], []),  # so little says nothing
        (" " * 30, [" " * 40 + "x"], []),
        ("compute(", ["compute("], []),  # nothing goes on
        ("", ["text"], []),
    ],
)
def test_what_goes_on_after_the_same_text(before: str, texts: list[str], expected: list[str]) -> None:
    assert [piece for _, piece in pieces(before, texts)] == expected


def test_pieces_are_few_and_small() -> None:
    text = "".join(f"{'# long ' * 80}\nvalue = compute({n})\n" for n in range(50))
    found = pieces("value = compute(", [text])
    assert len(found) == MOST
    assert all(len(piece) <= BEFORE + AFTER for _, piece in found)
    assert all("value = compute(" in piece for _, piece in found)
