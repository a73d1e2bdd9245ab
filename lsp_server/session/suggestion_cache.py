"""What was offered last in a document, and what is left of it while the user types just that.

Knows nothing of workers and requests. Nothing here is told what the user does: an offer holds the text it
was made in, and is looked for in the text there is now. So it makes no difference whether its words were
typed, accepted one by one, or deleted again, and an offer comes back only where all around it is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lsp_server.text.document import Edit, Snapshot
from lsp_server.text.positions import line_span

# Characters after the cursor that must be the same: more than anything looks at, less than a snapshot holds.
AFTER = 16_000


@dataclass(frozen=True, slots=True)
class Offer:
    """Edits offered at a cursor, best first, each of a span around it."""

    snapshot: Snapshot
    cursor: int
    edits: tuple[Edit, ...]

    def rest(self, snapshot: Snapshot, cursor: int) -> tuple[Edit, ...]:
        """What the edits would still insert at `cursor` of a later snapshot; () if it is another place or
        text than the offer's, or if the document is still what it was: that is a new question."""
        if snapshot.version == self.snapshot.version or snapshot.uri != self.snapshot.uri:
            return ()
        if _after(self.snapshot, self.cursor) != _after(snapshot, cursor):
            return ()
        if (typed := self._typed(snapshot, cursor)) is None:
            return ()
        left = (self._left(edit, typed, snapshot.version, cursor) for edit in self.edits)
        return tuple(edit for edit in left if edit)

    def _typed(self, snapshot: Snapshot, cursor: int) -> str | None:
        """What stands between the offer's cursor and the new one; None if the text before has changed."""
        old, new = self.snapshot, snapshot
        first = max(old.first_line, new.first_line)  # of the lines that both hold
        starts = [line_span(each.text, first - each.first_line) for each in (old, new)]
        if not starts[0] or not starts[1] or starts[0].start > self.cursor or starts[1].start > cursor:
            return None
        before = old.text[starts[0].start : self.cursor]
        now = new.text[starts[1].start : cursor]
        return now[len(before) :] if now.startswith(before) else None

    def _left(self, edit: Edit, typed: str, version: int, cursor: int) -> Edit | None:
        there = self.snapshot.text[edit.span.start : self.cursor] + typed
        if not edit.text.startswith(there) or len(edit.text) == len(there):
            return None
        span = replace(edit.span, start=cursor, end=cursor + edit.span.end - self.cursor)
        return replace(edit, version=version, span=span, text=edit.text[len(there) :])


def _after(snapshot: Snapshot, cursor: int) -> str:
    return snapshot.text[cursor : cursor + AFTER]
