from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.actions.tracked_ranges import TrackedRange, TrackedRanges
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
    ranges = TrackedRanges(told.append)
    ranges.put(URI, [TrackedRange(where[first], where[last], text[first:last], "x")], (0, 0), (0, 0))
    buffer = Buffer(URI, 1, "python", text)
    buffer.replace(where[start], where[end], new, "utf-16")
    ranges.edited(URI, (where[start], where[end]), new, "utf-16")
    for tracked in ranges.of(URI):
        after = places(buffer.text)
        assert buffer.text[after.index(tracked.start) : after.index(tracked.end)] == tracked.written
    assert bool(ranges.of(URI)) == (last < start or end < first)


def test_only_what_was_read_again_is_replaced() -> None:
    told: list[str] = []
    ranges = TrackedRanges(told.append)
    one, two = TrackedRange((0, 0), (0, 3), "one", ""), TrackedRange((5, 0), (5, 3), "two", "")
    ranges.put(URI, [one], (0, 0), (1, 0))
    ranges.put(URI, [two], (5, 0), (6, 0))
    assert ranges.of(URI) == (one, two)
    ranges.put(URI, [], (0, 0), (4, 0))
    assert ranges.of(URI) == (two,)
    ranges.edited(URI, None, "all of it", "utf-8")
    assert ranges.of(URI) == ()
    assert len(told) == 4
    ranges.forget(URI)
    assert len(told) == 4  # nothing to tell
