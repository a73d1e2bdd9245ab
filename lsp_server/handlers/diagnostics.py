"""The words in doubt that proofreading found, as diagnostics of the client.

What may replace such a word is found by its place, not by the diagnostics that a client sends back: it need
not send those that end at the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lsprotocol import types

from lsp_server.actions.proofread import DoubtfulWord
from lsp_server.actions.tracked_ranges import Place, TrackedRange, TrackedRanges
from lsp_server.session.session import Session
from lsp_server.text import positions
from lsp_server.text.document import Snapshot, Span

SOURCE, CODE = "infill-ls", "proofread"


def mark(session: Session, snapshot: Snapshot, read: Span, words: Sequence[DoubtfulWord]) -> None:
    """Mark the words in doubt of a part of a document. They replace the marks that were there."""

    def place(offset: int) -> Place:
        line, character = positions.to_position(snapshot.text, offset, session.encoding)
        return snapshot.first_line + line, character

    ranges = [
        TrackedRange(
            place(each.span.start),
            place(each.span.end),
            snapshot.text[each.span.start : each.span.end],
            each.text,
        )
        for each in words
    ]
    session.tracked_ranges.put(snapshot.uri, ranges, place(read.start), place(read.end))


def publisher(
    ranges: TrackedRanges, send: Callable[[types.PublishDiagnosticsParams], None]
) -> Callable[[str], None]:
    """A function that sends the client all marks of a document, given its URI."""
    return lambda uri: send(types.PublishDiagnosticsParams(uri, [diagnostic_of(r) for r in ranges.of(uri)]))


def is_ours(diagnostic: types.Diagnostic) -> bool:
    return diagnostic.source == SOURCE and diagnostic.code == CODE


def at(session: Session, uri: str, range: types.Range) -> list[TrackedRange]:
    """The words in doubt that a range touches, their ends included."""
    first, last = sorted([(range.start.line, range.start.character), (range.end.line, range.end.character)])
    return [each for each in session.tracked_ranges.of(uri) if each.start <= last and first <= each.end]


def diagnostic_of(tracked: TrackedRange) -> types.Diagnostic:
    instead = f": perhaps `{tracked.text}`?" if tracked.text else ""
    (line, character), (last, end) = tracked.start, tracked.end
    return types.Diagnostic(
        types.Range(types.Position(line, character), types.Position(last, end)),
        f"`{tracked.written}` is unlikely here{instead}",
        severity=types.DiagnosticSeverity.Information,
        code=CODE,
        source=SOURCE,
    )
