from __future__ import annotations

import pytest

from lsp_server.context.recent_edits import (
    AROUND,
    LONGEST,
    MOST,
    MOST_DIFFED,
    NEAR,
    EditedLines,
    RecentEdits,
    changes,
)

TEXT = "\n".join(f"line {n}" for n in range(1_000))


def test_a_piece_is_the_lines_around_the_edit() -> None:
    recent = RecentEdits()
    recent.add("a", TEXT, [100])
    ((key, piece),) = recent.pieces(without="b")
    assert key == "a"
    assert piece.split("\n") == [f"line {n}" for n in range(100 - AROUND, 100 + AROUND + 1)]
    assert recent.pieces(without="a") == []


def test_the_newest_is_last_and_takes_the_place_of_what_it_was() -> None:
    recent = RecentEdits()
    recent.add("a", TEXT, [100, 500])
    recent.add("b", TEXT, [3])
    recent.add("a", TEXT.replace("line 100", "line one hundred"), [100])
    assert [(key, "line one hundred" in piece) for key, piece in recent.pieces(without="")] == [
        ("a", False),
        ("b", False),
        ("a", True),
    ]
    recent.forget("a")
    assert [key for key, _ in recent.pieces(without="")] == ["b"]


def test_there_are_few() -> None:
    recent = RecentEdits()
    recent.add("a", TEXT, range(0, 1_000, 20))
    assert len(recent.pieces(without="")) == MOST


def test_lines_past_the_end_are_no_trouble() -> None:
    recent = RecentEdits()
    recent.add("a", "", [0, 5_000])
    assert recent.pieces(without="") == []


def test_what_has_been_edited_beyond_a_line() -> None:
    edited = EditedLines(new=False)
    assert not edited.beyond(5)
    edited.edit(5)
    assert not edited.beyond(5 + NEAR)
    edited.edit(90)
    assert edited.beyond(90)
    assert edited.lines == [5, 90]
    assert EditedLines(new=True).beyond(0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\nc", "a\nB\nc", ["- b\n+ B"]),
        ("a\nb\nc", "a\nb\nx\nc", ["+ x"]),
        ("a\nb\nc", "a\nc", ["- b"]),
        ("a\nb\nc\nd\ne", "A\nb\nc\nd\nE", ["- a\n+ A", "- e\n+ E"]),
        ("a\nb", "a\n\n \nb", []),  # blank
        ("a", "a", []),
        ("", "\n".join("x" * LONGEST) + "\ny", []),  # a long one
        ("a", "\n".join(str(n) for n in range(MOST_DIFFED)), []),
    ],
)
def test_changes_between_two_versions(before: str, after: str, expected: list[str]) -> None:
    assert list(changes(before, after)) == expected
    recent = RecentEdits()
    recent.add("a", after, [0], before)
    assert recent.changes("a") == expected
    assert recent.changes("b") == []
    recent.forget("a")
    assert recent.changes("a") == []
