"""Where the doubtful words that proofreading found are, while the document changes around them.

Positions are the client's, in its encoding. A range is dropped when its own text is edited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lsp_server.text.positions import Encoding, to_position

Place = tuple[int, int]  # line, character


@dataclass(frozen=True, slots=True)
class TrackedRange:
    start: Place
    end: Place
    written: str  # its text
    text: str  # what may stand there instead; may be empty


@dataclass
class TrackedRanges:
    """The ranges of all documents. `on_change` is called with the URI of a document whose ranges have
    changed."""

    on_change: Callable[[str], None] = lambda uri: None
    _of: dict[str, tuple[TrackedRange, ...]] = field(default_factory=dict)

    def of(self, uri: str) -> tuple[TrackedRange, ...]:
        return self._of.get(uri, ())

    def put(self, uri: str, ranges: Sequence[TrackedRange], start: Place, end: Place) -> None:
        """Keep these, and drop those that were between `start` and `end`."""
        kept = [each for each in self.of(uri) if each.end <= start or end <= each.start]
        self._set(uri, (*kept, *ranges))

    def edited(self, uri: str, replaced: tuple[Place, Place] | None, new: str, encoding: Encoding) -> None:
        """The text between two places has become `new`, or all of it has if `replaced` is None."""
        if not (ranges := self.of(uri)):
            return
        if replaced is None:
            self._set(uri, ())
            return
        start, end = sorted(replaced)
        after = _shifted(start, to_position(new, len(new), encoding))
        moved = (_moved(each, start, end, after) for each in ranges)
        self._set(uri, tuple(each for each in moved if each))

    def forget(self, uri: str) -> None:
        self._set(uri, ())

    def _set(self, uri: str, ranges: tuple[TrackedRange, ...]) -> None:
        if ranges != self.of(uri):
            self._of[uri] = ranges
            self.on_change(uri)
        if not ranges:
            self._of.pop(uri, None)


def _moved(tracked: TrackedRange, start: Place, end: Place, after: Place) -> TrackedRange | None:
    """The range once the text from `start` to `end` has become one that ends at `after`."""
    if tracked.end < start:
        return tracked
    if end < tracked.start:
        moved = [_past(place, end, after) for place in (tracked.start, tracked.end)]
        return replace(tracked, start=moved[0], end=moved[1])
    return None  # edited, or text was typed right beside it, which may continue the word


def _past(place: Place, end: Place, after: Place) -> Place:
    """Where a place is whose text before it ended at `end` and now ends at `after`."""
    line, character = place
    if line == end[0]:
        return after[0], character - end[1] + after[1]
    return line - end[0] + after[0], character


def _shifted(start: Place, by: Place) -> Place:
    """The end of a text that begins at `start` and is `by` lines and characters long."""
    return (start[0], start[1] + by[1]) if by[0] == 0 else (start[0] + by[0], by[1])
