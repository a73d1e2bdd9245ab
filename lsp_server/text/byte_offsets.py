"""Offsets as tree-sitter counts them: bytes of UTF-8, and (row, column in bytes).

Everywhere else an offset counts code points. Knows nothing of trees.
"""

from __future__ import annotations

from collections.abc import Callable


def encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate becomes one byte, consistently


def to_byte(text: str, offset: int) -> int:
    return offset if text.isascii() else len(encode(text[:offset]))


def to_point(text: str, offset: int) -> tuple[int, int]:
    """Row, and column in bytes."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset), len(encode(text[start:offset]))


def changed(old: str, new: str) -> tuple[int, int, int]:
    """(start, old end, new end) in code points: what differs between the texts' common head and tail."""
    shorter = min(len(old), len(new))
    head = _longest(shorter, lambda low, high: old[low:high] == new[low:high])
    tail = _longest(
        shorter - head,
        lambda low, high: old[len(old) - high : len(old) - low] == new[len(new) - high : len(new) - low],
    )
    return head, len(old) - tail, len(new) - tail


def _longest(limit: int, equal: Callable[[int, int], bool]) -> int:
    """The largest n up to `limit` with equal(0, n), by halving: slices compare at memory speed."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
