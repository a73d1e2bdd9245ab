from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.text.byte_offsets import changed, encode, to_byte, to_point


@pytest.mark.parametrize(
    ("text", "offset", "byte", "point"),
    [
        ("", 0, 0, (0, 0)),
        ("ab\ncd", 4, 4, (1, 1)),
        ("é😀\nü=1", 2, 6, (0, 6)),
        ("é😀\nü=1", 4, 9, (1, 2)),
        ("\ud83d=1", 1, 1, (0, 1)),  # a lone surrogate is one byte
        ("a\rb\n", 2, 2, (0, 2)),  # only \n begins a row
    ],
)
def test_bytes_and_points(text: str, offset: int, byte: int, point: tuple[int, int]) -> None:
    assert to_byte(text, offset) == byte == len(encode(text[:offset]))
    assert to_point(text, offset) == point


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("abc", "abc", (3, 3, 3)),
        ("abc", "axc", (1, 2, 2)),
        ("abc", "ac", (1, 2, 1)),
        ("aa", "aaa", (2, 2, 3)),  # the head is taken first
        ("", "a", (0, 0, 1)),
    ],
)
def test_what_changed(old: str, new: str, expected: tuple[int, int, int]) -> None:
    assert changed(old, new) == expected


TEXTS = st.text(st.sampled_from("ab\né"), max_size=12)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_outside_of_what_changed_the_texts_agree(head: str, old: str, new: str, tail: str) -> None:
    before, after = head + old + tail, head + new + tail
    start, old_end, new_end = changed(before, after)
    assert before[:start] == after[:start]
    assert before[old_end:] == after[new_end:]
    assert 0 <= start <= min(old_end, new_end)
    assert old_end - start <= len(old)
    assert new_end - start <= len(new)
