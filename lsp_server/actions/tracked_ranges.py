"""Words that proofreading found doubtful, kept where they stand while the document changes around them.

Positions are the client's. A mark goes when its own text is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lsp_server.text.positions import Encoding, to_position

Place = tuple[int, int]  # line, character


@dataclass(frozen=True, slots=True)
class Mark:
    start: Place
    end: Place
    written: str
    text: str  # what may stand there instead, if anything does


@dataclass
class Marks:
    """Of all documents. `on_change` is told the URI whose marks are others than before."""

    on_change: Callable[[str], None] = lambda uri: None
    _of: dict[str, tuple[Mark, ...]] = field(default_factory=dict)

    def of(self, uri: str) -> tuple[Mark, ...]:
        return self._of.get(uri, ())

    def put(self, uri: str, marks: Sequence[Mark], start: Place, end: Place) -> None:
        """In place of those between `start` and `end`."""
        kept = [each for each in self.of(uri) if each.end <= start or end <= each.start]
        self._set(uri, (*kept, *marks))

    def edited(self, uri: str, replaced: tuple[Place, Place] | None, new: str, encoding: Encoding) -> None:
        """The document changed: between two places, or all of it."""
        if not (marks := self.of(uri)):
            return
        if replaced is None:
            self._set(uri, ())
            return
        start, end = sorted(replaced)
        after = _shifted(start, to_position(new, len(new), encoding))
        moved = (_moved(each, start, end, after) for each in marks)
        self._set(uri, tuple(each for each in moved if each))

    def forget(self, uri: str) -> None:
        self._set(uri, ())

    def _set(self, uri: str, marks: tuple[Mark, ...]) -> None:
        if marks != self.of(uri):
            self._of[uri] = marks
            self.on_change(uri)
        if not marks:
            self._of.pop(uri, None)


def _moved(mark: Mark, start: Place, end: Place, after: Place) -> Mark | None:
    """Where a mark is once the text from `start` to `end` has become one that ends at `after`."""
    if mark.end < start:
        return mark
    if end < mark.start:
        return replace(mark, start=_past(mark.start, end, after), end=_past(mark.end, end, after))
    return None  # touched, or continued by what was typed right beside it


def _past(place: Place, end: Place, after: Place) -> Place:
    line, character = place
    if line == end[0]:
        return after[0], character - end[1] + after[1]
    return line - end[0] + after[0], character


def _shifted(start: Place, by: Place) -> Place:
    return (start[0], start[1] + by[1]) if by[0] == 0 else (start[0] + by[0], by[1])
