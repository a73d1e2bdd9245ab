"""What the user edited lately, in all open documents, read off the changes that a client sends.

Changes are joined by place and pause: what touches the lines of an earlier edit belongs to it, and so does
what follows right beside the newest one. An edit that is taken back leaves the history, and comes back when
it is redone. What many places get at once, as from a formatter, is nobody's intent and only moves lines.
Knows lines and columns, no parse and no cursor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

KEPT = 24  # edits that are remembered, so that a rename is known until its last use has followed
RECENT = 6  # edits that say what the user is at
PAUSE_S = 4.0  # after this long, a change beside the newest edit is another edit
MOST_LINES = 40  # of an edit, before or after; more is pasted, formatted or generated
OVERTAKEN = -1
_PLACES = 3  # so many places at once are no typing

_FORM = re.compile(r"\s+|,(?=\s*[)\]}])")

Place = tuple[int, int]  # line, column in code points
Lines = tuple[str, ...]  # without line ends


@dataclass(frozen=True, slots=True)
class Edited:
    """Some lines of a document, as they were and as they are."""

    uri: str
    line: int  # where `after` begins in the document now; OVERTAKEN: a later edit changed it again
    before: Lines
    after: Lines
    at: float  # seconds, on the session's clock, of its last change
    pasted: bool = False  # most of it came at once

    @property
    def end(self) -> int:
        """The line after its last."""
        return self.line + len(self.after)

    def overlaps(self, uri: str, first: int, last: int) -> bool:
        """Whether it is in the lines from `first` to `last`; what was deleted is at the line after it."""
        return self.uri == uri and 0 <= self.line <= last and first < max(self.end, self.line + 1)

    @property
    def is_formatting(self) -> bool:
        """Whether only blanks, quotes and trailing commas differ."""
        return _bare(self.before) == _bare(self.after)


class EditHistory:
    def __init__(self) -> None:
        self._edits: list[Edited] = []  # the newest last
        # (document, lines as they are, as the user will not have them)
        self._rejected: list[tuple[str, Lines, Lines]] = []

    def change(
        self, uri: str, start: Place, end: Place, new: str, line: Callable[[int], str], now: float
    ) -> None:
        """A change from `start` to `end`, which is not made yet: `line` gives the lines as they are before
        it."""
        (first, column), (last, last_column) = start, end
        text = line(first)[:column] + new + line(last)[last_column:]
        added = tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        if last - first >= MOST_LINES or len(added) > MOST_LINES:
            self.move(uri, first, last, len(added))
            return
        count = len(added)
        under = [each for each in self._edits if each.overlaps(uri, first, last)]
        edit = _joined(uri, under, first, last, added, line, now)
        if edit.before == edit.after:  # taken back
            joined = under
        else:
            joined = [each for each in self._edits if self._joins(each, uri, first, last, now)]
            edit = _joined(uri, joined, first, last, added, line, now)
        self._note_undone(uri, tuple(map(line, range(first, last + 1))), added, under)
        edit = replace(edit, pasted=edit.pasted or new.strip().count("\n") >= 2)
        self._shift(uri, last, count - (last + 1 - first), gone=joined, overtaken=under)
        if edit.before != edit.after and max(len(edit.before), len(edit.after)) <= MOST_LINES:
            self._edits = [*self._edits, edit][-KEPT:]

    def replace_all(self, uri: str, old: str, new: str, now: float) -> None:
        """A client sent a text anew: the change is from the first line that differs to the last."""
        before, after = (text.replace("\r\n", "\n").replace("\r", "\n").split("\n") for text in (old, new))
        top = min(_common(before, after), len(before) - 1, len(after) - 1)
        room = min(len(before), len(after)) - top - 1
        bottom = min(_common(before[::-1], after[::-1]), room)
        last = len(before) - 1 - bottom
        text = "\n".join(after[top : len(after) - bottom])
        if before != after:
            self.change(uri, (top, 0), (last, len(before[last])), text, lambda at: before[at], now)

    def move(self, uri: str, first: int, last: int, count: int) -> None:
        """The lines from `first` to `last` became `count` others, by nobody's intent: edits in them are
        forgotten."""
        gone = [each for each in self._edits if each.overlaps(uri, first, last)]
        self._shift(uri, last, count - (last + 1 - first), gone=gone)

    def forget(self, uri: str) -> None:
        self._edits = [each for each in self._edits if each.uri != uri]
        self._rejected = [each for each in self._rejected if each[0] != uri]

    def all(self, uri: str) -> tuple[Edited, ...]:
        """The edits of a document, the newest last, without those that only changed the form."""
        return tuple(each for each in self._edits if each.uri == uri and not each.is_formatting)

    def recent(self) -> tuple[Edited, ...]:
        """The last few edits of all documents, the newest last, without those that only changed the form."""
        return tuple(each for each in self._edits if not each.is_formatting)[-RECENT:]

    def was_rejected(self, uri: str, before: Lines, after: Lines) -> bool:
        """Whether the user has taken back or dismissed just this change of lines."""
        return (uri, before, after) in self._rejected

    def reject(self, uri: str, before: Lines, after: Lines) -> None:
        """The user does not want this change of lines; it is not suggested again while they read so."""
        self._rejected = [*self._rejected, (uri, before, after)][-KEPT:]

    def _joins(self, each: Edited, uri: str, first: int, last: int, now: float) -> bool:
        """Whether a change belongs to an edit: to the newest in its lines at any time, to others within a
        pause."""
        newest, soon = each is self._edits[-1], now - each.at <= PAUSE_S
        beside = each.uri == uri and each.line - 1 <= last and first <= each.end and each.line >= 0
        return (newest or soon) if each.overlaps(uri, first, last) else beside and newest and soon

    def _note_undone(self, uri: str, old: Lines, new: Lines, touched: Sequence[Edited]) -> None:
        """Remember what is taken back, and forget what is done again."""
        self._rejected = [each for each in self._rejected if each != (uri, old, new)]
        for each in touched:
            if _within(new, each.before) and not _within(new, each.after):
                self.reject(uri, new, old)

    def _shift(
        self, uri: str, last: int, moved: int, gone: Sequence[Edited], overtaken: Sequence[Edited] = ()
    ) -> None:
        kept = []
        for each in self._edits:
            if each in gone:
                continue
            if each in overtaken:
                each = replace(each, line=OVERTAKEN)
            elif each.uri == uri and each.line > last:
                each = replace(each, line=each.line + moved)
            kept.append(each)
        self._edits = kept


def _joined(
    uri: str,
    joined: Sequence[Edited],
    first: int,
    last: int,
    added: Lines,
    line: Callable[[int], str],
    now: float,
) -> Edited:
    """Earlier edits and a change of the lines from `first` to `last` as one edit, without the lines at its
    ends that are as they were."""
    low = min([first, *(each.line for each in joined)])
    high = max([last + 1, *(each.end for each in joined)])
    before: list[str] = []
    at = low
    for each in sorted(joined, key=lambda each: each.line):
        before += [*map(line, range(at, each.line)), *each.before]
        at = max(at, each.end)
    before += map(line, range(at, high))
    after = [*map(line, range(low, first)), *added, *map(line, range(last + 1, high))]
    top = _common(before, after)
    bottom = _common(before[top:][::-1], after[top:][::-1])
    old, new = tuple(before[top : len(before) - bottom]), tuple(after[top : len(after) - bottom])
    return Edited(uri, low + top, old, new, now, any(each.pasted for each in joined))


def scattered(lines: Sequence[int]) -> bool:
    """Whether changes made at once, at these lines, are too far apart for one who types."""
    ordered = sorted(lines)
    return 1 + sum(b - a > 1 for a, b in pairwise(ordered)) >= _PLACES


def _within(lines: Lines, others: Lines) -> bool:
    count = len(lines)
    return any(others[at : at + count] == lines for at in range(len(others) - count + 1))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _bare(lines: Lines) -> str:
    return _FORM.sub("", "\n".join(lines)).replace("'", '"')
