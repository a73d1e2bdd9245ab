from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.text.positions import Encoding, line_span, to_offset, to_position

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")

# (text, line, {encoding: character}, offset)
PLACES = [
    ("", 0, {"utf-8": 0, "utf-16": 0, "utf-32": 0}, 0),
    ("ab\ncd", 1, {"utf-8": 1, "utf-16": 1, "utf-32": 1}, 4),
    ("ab\n", 1, {"utf-8": 0, "utf-16": 0, "utf-32": 0}, 3),
    ("a\r\nb\rc\nd", 1, {"utf-8": 1, "utf-16": 1, "utf-32": 1}, 4),
    ("a\r\nb\rc\nd", 2, {"utf-8": 0, "utf-16": 0, "utf-32": 0}, 5),
    ("a\r\nb\rc\nd", 3, {"utf-8": 1, "utf-16": 1, "utf-32": 1}, 8),
    ("x = '😀' + y", 0, {"utf-8": 10, "utf-16": 8, "utf-32": 7}, 7),
    ("# 注文\nn = 数", 1, {"utf-8": 7, "utf-16": 5, "utf-32": 5}, 10),
    ("a\x0cb\u2028c\x85d\ne", 1, {"utf-8": 0, "utf-16": 0, "utf-32": 0}, 8),  # none of them ends a line
    ("\ud83d = 1", 0, {"utf-8": 4, "utf-16": 2, "utf-32": 2}, 2),  # a lone surrogate
]


@pytest.mark.parametrize(("text", "line", "characters", "offset"), PLACES)
def test_both_ways(text: str, line: int, characters: dict[Encoding, int], offset: int) -> None:
    for encoding, character in characters.items():
        assert to_offset(text, line, character, encoding) == offset
        assert to_position(text, offset, encoding) == (line, character)


@pytest.mark.parametrize(
    ("text", "line", "character", "encoding", "offset"),
    [
        ("ab\r\ncd", 0, 99, "utf-16", 2),  # past the end of a line: its end, before the line end
        ("ab", 0, 99, "utf-16", 2),
        ("é😀", 0, 99, "utf-8", 2),
        ("ab\n", 2, 0, "utf-16", None),  # a line the text does not have
        ("a\rb", 2, 0, "utf-16", None),
        ("", 1, 0, "utf-16", None),
        ("a", -1, 0, "utf-16", None),
        ("a😀b", 0, 2, "utf-16", 1),  # inside a surrogate pair: before it
        ("a😀b", 0, 3, "utf-8", 1),
    ],
)
def test_positions_out_of_place(
    text: str, line: int, character: int, encoding: Encoding, offset: int | None
) -> None:
    assert to_offset(text, line, character, encoding) == offset


@pytest.mark.parametrize("length", [0, 1, 60, 4_095, 4_096, 9_000])
def test_every_line_of_a_long_text(length: int) -> None:
    starts = [number * (length + 1) for number in range(max(3, 10_000 // (length + 1)))]
    text = ("x" * length + "\n") * len(starts)
    for line in {0, 1, 2, len(starts) // 2, len(starts) - 1}:
        assert to_offset(text, line, 0, "utf-16") == starts[line]
        assert to_position(text, starts[line], "utf-16") == (line, 0)
    assert to_offset(text, len(starts), 0, "utf-16") == len(text)
    assert to_offset(text, len(starts) + 1, 0, "utf-16") is None


def test_between_carriage_return_and_line_feed() -> None:
    assert to_position("ab\r\ncd", 3, "utf-16") == (0, 2)


TEXTS = st.text(st.sampled_from("ab \t\r\n\x0c\u2028é注😀"), max_size=40)


@given(TEXTS, st.integers(0, 40), st.sampled_from(ENCODINGS))
def test_round_trip(text: str, offset: int, encoding: Encoding) -> None:
    offset = min(offset, len(text))
    if text[offset - 1 : offset + 1] == "\r\n" and offset:
        return  # no position names this place
    assert to_offset(text, *to_position(text, offset, encoding), encoding) == offset


@given(TEXTS, st.integers(0, 8))
def test_lines_have_no_line_ends_and_all_of_the_text(text: str, line: int) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    span = line_span(text, line)
    assert (None if span is None else text[span.start : span.end]) == (
        lines[line] if line < len(lines) else None
    )
