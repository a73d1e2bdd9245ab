"""What a history makes of changes: which belong together, which are taken back, which are nobody's intent."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.history import KEPT, MOST_LINES, PAUSE_S, RECENT, scattered
from tests.support.typist import URI, Typing

TEXT = "a = 1\nb = 2\nc = 3\nd = 4\n"


def test_what_is_typed_in_a_line_is_one_edit() -> None:
    it = Typing(TEXT)
    it.retype(1, 4, "2", "two")
    assert it.edits() == [(1, ("b = 2",), ("b = two",))]
    it.change((1, 7), (1, 7), "!", after=100)  # after any pause, where nothing else was edited meanwhile
    assert it.edits() == [(1, ("b = 2",), ("b = two!",))]


def test_what_is_beside_belongs_to_it_only_without_a_pause() -> None:
    it = Typing(TEXT)
    it.change((1, 5), (1, 5), "0")
    it.change((2, 5), (2, 5), "0")
    assert it.edits() == [(1, ("b = 2", "c = 3"), ("b = 20", "c = 30"))]
    it.change((3, 5), (3, 5), "0", after=PAUSE_S)
    assert [line for line, _, _ in it.edits()] == [1, 3]


def test_lines_that_come_and_go_move_the_others() -> None:
    it = Typing(TEXT)
    it.retype(3, 4, "4", "four")
    it.change((0, 0), (0, 0), "new\n", after=60)
    assert it.edits() == [(4, ("d = 4",), ("d = four",)), (0, (), ("new",))]
    it.change((1, 0), (3, 0), "", after=60)
    assert it.edits() == [(2, ("d = 4",), ("d = four",)), (0, (), ("new",)), (1, ("a = 1", "b = 2"), ())]


def test_an_edit_that_is_taken_back_is_gone_and_not_wanted() -> None:
    it = Typing(TEXT)
    it.retype(1, 4, "2", "two")
    it.retype(3, 4, "4", "four")
    it.change((1, 0), (1, 7), "b = 2", after=60)  # undone, though not the newest
    assert it.edits() == [(3, ("d = 4",), ("d = four",))]
    assert it.history.was_rejected(URI, ("b = 2",), ("b = two",))
    it.change((1, 0), (1, 5), "b = two", after=60)  # redone
    assert it.edits()[1:] == [(1, ("b = 2",), ("b = two",))]
    assert not it.history.was_rejected(URI, ("b = 2",), ("b = two",))


def test_a_line_that_is_edited_again_later_is_another_edit() -> None:
    it = Typing(TEXT)
    it.retype(1, 0, "b", "beta")
    it.retype(3, 0, "d", "delta")
    it.retype(1, 0, "beta", "gamma")
    edits = [(each.before, each.after) for each in it.history.all(URI)]
    assert edits[0] == (("b = 2",), ("beta = 2",))
    assert edits[2] == (("beta = 2",), ("gamma = 2",))
    assert [each.line for each in it.history.all(URI)] == [-1, 3, 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f(a,b)", "f(a, b)"),
        ("f(a)", "    f(a)"),
        ("x = 'a'", 'x = "a"'),
        ("f(a)", "f(\n    a,\n)"),
    ],
)
def test_formatting_is_no_intent(old: str, new: str) -> None:
    it = Typing(old + "\n")
    it.change((0, 0), (0, len(old)), new)
    assert (it.edits(), it.history.recent()) == ([], ())


def test_a_paste_is_known_as_one() -> None:
    it = Typing(TEXT)
    it.change((1, 0), (1, 0), "one\ntwo\nthree\n")
    (edit,) = it.history.recent()
    assert edit.pasted
    it.change((4, 5), (4, 5), "0", after=60)
    assert [each.pasted for each in it.history.recent()] == [True, False]


def test_a_large_change_only_moves_lines() -> None:
    it = Typing(TEXT)
    it.retype(1, 4, "2", "two")
    it.retype(3, 4, "4", "four")
    it.change((0, 0), (2, 0), "x\n" * (MOST_LINES + 2))
    assert it.edits() == [(MOST_LINES + 3, ("d = 4",), ("d = four",))]


def test_a_whole_new_text_is_the_change_in_it() -> None:
    it = Typing(TEXT)
    it.history.replace_all(URI, TEXT, TEXT.replace("3", "three"), 0.0)
    assert it.edits() == [(2, ("c = 3",), ("c = three",))]
    it.history.replace_all(URI, "a\r\n", "a\n", 0.0)
    assert len(it.edits()) == 1


def test_there_are_few_and_a_closed_document_has_none() -> None:
    it = Typing("x\n" * 200)
    for line in range(0, 3 * KEPT, 3):
        it.change((line, 0), (line, 0), "y", after=60)
    it.change((190, 0), (190, 0), "y", after=60)
    assert (len(it.history.all(URI)), len(it.history.recent())) == (KEPT, RECENT)
    assert it.edits()[-1][0] == 190
    it.history.forget(URI)
    assert it.history.recent() == ()


def test_many_places_at_once_are_no_typing() -> None:
    assert scattered([9, 1, 5])
    assert not scattered([1, 2, 3, 3, 9])
    assert not scattered([])
