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
        if (typed := typed_since(self.snapshot, self.cursor, snapshot, cursor)) is None:
            return ()
        left = (self._left(edit, typed, snapshot.version, cursor) for edit in self.edits)
        return tuple(edit for edit in left if edit)

    def taken(self, snapshot: Snapshot, cursor: int) -> bool:
        """Whether the text between the place of the suggestion and `cursor`, at least one character, is just
        what one of the edits says there."""
        typed = typed_since(self.snapshot, self.cursor, snapshot, cursor)
        return bool(typed) and any(each.text.startswith(self._there(each, typed)) for each in self.edits)

    def _left(self, edit: Edit, typed: str, version: int, cursor: int) -> Edit | None:
        """The edit less what is there already; None if that differs from the edit, or is all of it."""
        there = self._there(edit, typed)
        if not edit.text.startswith(there) or len(edit.text) == len(there):
            return None
        span = replace(edit.span, start=cursor, end=cursor + edit.span.end - self.cursor)
        return replace(edit, version=version, span=span, text=edit.text[len(there) :])

    def _there(self, edit: Edit, typed: str) -> str:
        """What stands already where the edit begins."""
        return self.snapshot.text[edit.span.start : self.cursor] + typed


def typed_since(old: Snapshot, was: int, new: Snapshot, cursor: int) -> str | None:
    """The text typed since the cursor of a document was at `was` of its snapshot `old`; None if anything
    else has changed near it."""
    if old.uri != new.uri or _after(old, was) != _after(new, cursor):
        return None
    first = max(old.first_line, new.first_line)  # the first line that both hold
    starts = [line_span(each.text, first - each.first_line) for each in (old, new)]
    if not starts[0] or not starts[1] or starts[0].start > was or starts[1].start > cursor:
        return None
    before, now = old.text[starts[0].start : was], new.text[starts[1].start : cursor]
    return now[len(before) :] if now.startswith(before) else None


def _after(snapshot: Snapshot, cursor: int) -> str:
    return snapshot.text[cursor : cursor + AFTER]
