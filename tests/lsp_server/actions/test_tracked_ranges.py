from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.actions.tracked_ranges import Mark, Marks
from lsp_server.text.buffer import Buffer

URI = "file:///a.py"
TEXTS = st.text(alphabet="ab é😀\n", max_size=30)


def places(text: str) -> list[tuple[int, int]]:
    """All places between two code points, in UTF-16."""
    found, line, character = [(0, 0)], 0, 0
    for letter in text:
        line, character = (line + 1, 0) if letter == "\n" else (line, character + 1 + (ord(letter) > 0xFFFF))
        found.append((line, character))
    return found


@given(TEXTS, TEXTS, st.data())
def test_marks_stay_on_their_text_or_go(text: str, new: str, data: st.DataObject) -> None:
    at = st.integers(0, len(text))
    first, last = sorted(data.draw(st.tuples(at, at)))
    start, end = sorted(data.draw(st.tuples(at, at)))
    where, told = places(text), list[str]()
    marks = Marks(told.append)
    marks.put(URI, [Mark(where[first], where[last], text[first:last], "x")], (0, 0), (0, 0))
    buffer = Buffer(URI, 1, "python", text)
    buffer.replace(where[start], where[end], new, "utf-16")
    marks.edited(URI, (where[start], where[end]), new, "utf-16")
    for mark in marks.of(URI):
        after = places(buffer.text)
        assert buffer.text[after.index(mark.start) : after.index(mark.end)] == mark.written
    assert bool(marks.of(URI)) == (last < start or end < first)


def test_only_what_was_read_again_is_replaced() -> None:
    told: list[str] = []
    marks = Marks(told.append)
    one, two = Mark((0, 0), (0, 3), "one", ""), Mark((5, 0), (5, 3), "two", "")
    marks.put(URI, [one], (0, 0), (1, 0))
    marks.put(URI, [two], (5, 0), (6, 0))
    assert marks.of(URI) == (one, two)
    marks.put(URI, [], (0, 0), (4, 0))
    assert marks.of(URI) == (two,)
    marks.edited(URI, None, "all of it", "utf-8")
    assert marks.of(URI) == ()
    assert len(told) == 4
    marks.forget(URI)
    assert len(told) == 4  # nothing to tell
