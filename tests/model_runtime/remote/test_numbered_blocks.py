"""Numbered marks in a region: where they stand, and what an answer with them says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.remote.numbered_blocks import marked, read

CURSOR = "<|user_cursor|>"


def blocks(region: str) -> list[int]:
    """How many lines each block has."""
    *parts, end = marked(region, 0, "").split("<|marker_")[1:]
    assert end == f"{len(parts) + 1}|>"
    return [part.count("\n") for part in parts]


LINES = [f"line {n}" for n in range(21)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [16, 5]),  # too long for one
        ({7: ""}, [8, 13]),  # after the blank line
        ({4: ""}, [16, 5]),  # too early for a block
        ({17: ""}, [16, 5]),  # too late for one
        ({14: "", 15: "}"}, [16, 5]),  # what ends something begins no block; the rest would be too short
        ({8: "", 9: "end", 10: "", 11: "return;"}, [12, 9]),
        (dict.fromkeys(range(16, 21), ")"), [16, 5]),
        ({6: "", 7: "", 13: ""}, [8, 6, 7]),
    ],
)
def test_where_blocks_begin(changed: dict[int, str], expected: list[int]) -> None:
    assert blocks("\n".join(changed.get(n, line) for n, line in enumerate(LINES))) == expected


def test_a_short_region_is_one_block() -> None:
    assert marked("a\nb", 2, CURSOR) == f"<|marker_1|>a\n{CURSOR}b\n<|marker_2|>"
    assert marked("", 0, CURSOR) == f"<|marker_1|>{CURSOR}\n<|marker_2|>"


def test_the_cursor_comes_before_a_mark_at_its_place() -> None:
    region = "\n".join(LINES)
    assert f"line 15\n{CURSOR}<|marker_2|>line 16\n" in marked(region, region.index("line 16"), CURSOR)
    assert marked(region, len(region), CURSOR).endswith(f"line 20{CURSOR}\n<|marker_3|>")


REGION = "\n".join(LINES)
FIRST, SECOND = "\n".join(LINES[:16]), "\n".join(LINES[16:])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<|marker_2|>new\n<|marker_3|>", f"{FIRST}\nnew"),
        ("<|marker_1|>new\n<|marker_2|>", f"new\n{SECOND}"),
        ("<|marker_1|>a\n<|marker_2|>b\n<|marker_3|>", "a\nb"),
        ("<|marker_2|><|marker_3|>", f"{FIRST}"),
        ("<|marker_2|><|marker_2|>", REGION),
        ("<|marker_3|>new\n<|marker_1|>", REGION),
        ("<|marker_0|>new\n<|marker_2|>", REGION),
        ("<|marker_1|>new\n<|marker_4|>", REGION),
        ("<|marker_1|>new\n", REGION),  # cut off
        ("new\n", REGION),
    ],
)
def test_what_an_answer_changes(answer: str, expected: str) -> None:
    assert read(answer, REGION) == expected


@given(st.lists(st.sampled_from(["", "x", "}", "  return;"]), min_size=1, max_size=60), st.data())
def test_what_is_marked_reads_as_it_was(lines: list[str], data: st.DataObject) -> None:
    region = "\n".join(lines)
    cursor = data.draw(st.integers(0, len(region)))
    assert read(marked(region, cursor, ""), region) == region
    assert marked(region, cursor, CURSOR).replace(CURSOR, "") == marked(region, 0, "")
