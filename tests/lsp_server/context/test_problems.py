"""What is known to be wrong in a document while it is edited."""

from __future__ import annotations

import pytest

from lsp_server.context.problems import Cleaned, Problems

KEY = "/p/a.py"


def problems(*lines: int) -> Problems:
    it = Problems()
    it.put(KEY, 0, 99, [(line, Cleaned(f"at {line}")) for line in lines])
    return it


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], {2: ("at 2",), 5: ("at 5",)}),
        ([(3, 3, 0)], {2: ("at 2",), 5: ("at 5",)}),
        ([(3, 3, 2)], {2: ("at 2",), 7: ("at 5",)}),  # two lines more
        ([(0, 2, 0)], {3: ("at 5",)}),  # the lines that 2 was among are gone
        ([(2, 2, 0)] * 3, {2: ("at 2",), 5: ("at 5",)}),  # while it is mended
        ([(2, 2, 0), (4, 4, 0)], {5: ("at 5",)}),  # once that is done
    ],
)
def test_problems_move_with_their_lines(edits: list[tuple[int, int, int]], expected: object) -> None:
    it = problems(2, 5)
    for edit in edits:
        it.edited(KEY, *edit)
    assert {line: found for line in range(20) if (found := it.at(KEY, line))} == expected


def test_what_is_said_of_lines_replaces_what_was_said() -> None:
    it = problems(2, 5)
    for _ in range(2):
        it.put(KEY, 5, 6, [(6, Cleaned("new")), (1, Cleaned("begins above")), (6, Cleaned(""))])
    assert [it.at(KEY, line) for line in (1, 2, 5, 6)] == [("begins above",), ("at 2",), (), ("new",)]
    it.forget(KEY)
    assert it.at(KEY, 2) == ()
