"""The last suggestion in a document, and what is left of it while the user types just that.

Keystrokes are not reported here. A suggestion holds the text it was made in, which is compared with the text
there is now. So it makes no difference whether its words were typed, accepted one by one or deleted again,
and it comes back only if the text around it is unchanged. Knows no workers and no requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lsp_server.text.document import Edit, Snapshot
from lsp_server.text.positions import line_span

# Characters after the cursor that must be unchanged: more than any module reads, fewer than a snapshot holds.
AFTER = 16_000


@dataclass(frozen=True, slots=True)
class CachedSuggestion:
    """Edits that were suggested at a cursor, best first; each replaces a span around it."""

    snapshot: Snapshot
    cursor: int
    edits: tuple[Edit, ...]

    def rest(self, snapshot: Snapshot, cursor: int) -> tuple[Edit, ...]:
        """What the edits would still insert at `cursor` of a later snapshot. Empty if the text or the place
        is another one, and if the version is the same: then the user asks for a new suggestion."""
        if snapshot.version == self.snapshot.version or snapshot.uri != self.snapshot.uri:
            return ()
        if _after(self.snapshot, self.cursor) != _after(snapshot, cursor):
            return ()
        if (typed := self._typed_since(snapshot, cursor)) is None:
            return ()
        left = (self._left(edit, typed, snapshot.version, cursor) for edit in self.edits)
        return tuple(edit for edit in left if edit)

    def _typed_since(self, snapshot: Snapshot, cursor: int) -> str | None:
        """The text between the old cursor and the new one; None if the text before the old one has
        changed."""
        old, new = self.snapshot, snapshot
        first = max(old.first_line, new.first_line)  # the first line that both hold
        starts = [line_span(each.text, first - each.first_line) for each in (old, new)]
        if not starts[0] or not starts[1] or starts[0].start > self.cursor or starts[1].start > cursor:
            return None
        before = old.text[starts[0].start : self.cursor]
        now = new.text[starts[1].start : cursor]
        return now[len(before) :] if now.startswith(before) else None

    def _left(self, edit: Edit, typed: str, version: int, cursor: int) -> Edit | None:
        """The edit less what is there already; None if that differs from the edit, or is all of it."""
        there = self.snapshot.text[edit.span.start : self.cursor] + typed
        if not edit.text.startswith(there) or len(edit.text) == len(there):
            return None
        span = replace(edit.span, start=cursor, end=cursor + edit.span.end - self.cursor)
        return replace(edit, version=version, span=span, text=edit.text[len(there) :])


def _after(snapshot: Snapshot, cursor: int) -> str:
    return snapshot.text[cursor : cursor + AFTER]
