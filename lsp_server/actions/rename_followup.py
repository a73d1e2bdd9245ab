"""The next edit: a name was changed where it is bound, so it should change where it is used.

Keeps what the edited line was before, and reads a rename off the difference. No model is asked: either the
old name is still used in the scope of the new one, or there is no next edit. Knows text only; `scopes` says
which uses belong to a binding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.positions import line_span
from lsp_server.text.scopes import left_over
from lsp_server.text.syntax import Parses

KEPT = 8  # renames that are remembered in a document

_TOKEN = re.compile(r"\w+|\W")


@dataclass(frozen=True, slots=True)
class Rename:
    line: int  # in the document, counted from 0
    column: int  # of the new name, in code points
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class History:
    """The line that is being edited, as it was before, and the renames found on lines edited earlier."""

    line: int = -1  # -1: none yet
    before: str = ""
    earlier: tuple[Rename, ...] = ()  # oldest first

    def change(
        self, start: tuple[int, int], end: tuple[int, int], new: str, text: Callable[[int], str]
    ) -> History:
        """The history after a change from `start` to `end` (line, column), which is not made yet: `text`
        gives the lines as they are before it."""
        (first, column), (last, _) = start, end
        added = new.count("\n")
        if first == last == self.line and not added:
            return self
        found = self.renames(text)
        if first == last and not added:
            return History(first, text(first), found[-KEPT:])
        moved = added - (last - first)
        kept = (
            replace(each, line=each.line + moved * (each.line > last))
            for each in found
            if not first <= each.line <= last or (each.line == first and each.column < column)
        )
        return History(earlier=tuple(kept))

    def renames(self, text: Callable[[int], str]) -> tuple[Rename, ...]:
        """All renames known, the newest last. `text` gives the document's lines."""
        if self.line < 0 or not (change := changed_name(self.before, text(self.line))):
            return self.earlier
        return (*self.earlier, Rename(self.line, *change))


def changed_name(before: str, now: str) -> tuple[int, str, str] | None:
    """Column, old and new name, if one name is all that differs between two lines."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(now)
    if len(old) != len(new):
        return None
    differing = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if len(differing) != 1 or not (old[differing[0]].isidentifier() and new[differing[0]].isidentifier()):
        return None
    at = differing[0]
    return sum(map(len, new[:at])), old[at], new[at]


def find(
    snapshot: Snapshot, cursor: int, renames: tuple[Rename, ...], parses: Parses
) -> tuple[Edit, ...] | Refusal:
    """An edit for each remaining use of the old name, those nearest to the cursor first. Only the newest
    rename that has such uses counts."""
    for rename in reversed(renames):
        line = line_span(snapshot.text, rename.line - snapshot.first_line)
        if line is None:
            continue
        start = line.start + rename.column
        if not re.compile(rf"\b{re.escape(rename.new)}\b").match(snapshot.text, start):
            continue
        syntax = parses.around(snapshot, start)
        if uses := left_over(syntax, Span(start, start + len(rename.new)), rename.old) if syntax else ():
            nearest = sorted(uses, key=lambda use: abs(use.start - cursor))
            return tuple(_edit(snapshot, use, rename.new) for use in nearest)
    return Refusal("no-next-edit", "no renamed name is left over near the cursor")


def _edit(snapshot: Snapshot, use: Span, new: str) -> Edit:
    return Edit(snapshot.uri, snapshot.version, use, new, 1.0, 0, 0.0, ("rename",))
