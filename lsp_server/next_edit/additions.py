"""An argument, a field or an element was added in one of several like blocks, so it may be due in the others.

It is a line that ends with a comma. A place is like another if the lines right above and right below it read
the same, blanks at their ends aside. The line takes the place's own indentation. Knows lines only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lsp_server.next_edit.history import Edited
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.lines import indentation, line_end

MOST_PLACES = 12  # like ones; where there are more, the lines around say little


@dataclass(frozen=True, slots=True)
class Addition:
    text: str  # without the indentation that it shares with the line above
    above: str
    below: str


def places(snapshot: Snapshot, edits: Sequence[Edited]) -> list[tuple[Span, str]]:
    """Where a line that was added lately is missing, with its text. Only the newest addition that has such
    places counts."""
    lines = snapshot.text.splitlines(keepends=True)
    for edit in reversed(edits):
        addition = _addition(edit, lines, snapshot.first_line) if edit.uri == snapshot.uri else None
        found = list(_missing(lines, addition, line_end(snapshot.text))) if addition else []
        if 0 < len(found) <= MOST_PLACES:
            return found
    return []


def _addition(edit: Edited, lines: Sequence[str], first: int) -> Addition | None:
    at = edit.line - first
    if edit.before or len(edit.after) != 1 or not 0 < at < len(lines) - 1:
        return None
    (new,), above, below = edit.after, lines[at - 1], lines[at + 1]
    shared = indentation(above)
    if not new.rstrip().endswith(",") or not new.startswith(shared) or not above.strip() or not below.strip():
        return None
    return Addition(new[len(shared) :], above.strip(), below.strip())


def _missing(lines: Sequence[str], addition: Addition, end: str) -> Iterator[tuple[Span, str]]:
    at = 0
    for above, below in pairwise(lines):
        at += len(above)
        if above.strip() == addition.above and below.strip() == addition.below:
            yield Span(at, at), indentation(above) + addition.text + end
