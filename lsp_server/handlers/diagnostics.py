"""The words in doubt that proofreading found, as diagnostics of the client.

A diagnostic carries the text that may replace its word. A client sends it back when it asks for code actions,
so nothing has to be looked up then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    return lambda uri: send(types.PublishDiagnosticsParams(uri, [_diagnostic(r) for r in ranges.of(uri)]))


def is_ours(diagnostic: types.Diagnostic) -> bool:
    return diagnostic.source == SOURCE and diagnostic.code == CODE


def replacement(diagnostic: types.Diagnostic) -> str:
    """The text that may replace the word in doubt; empty where there is none."""
    data: Any = diagnostic.data
    text = data.get("text") if isinstance(data, dict) else getattr(data, "text", None)
    return text if isinstance(text, str) else ""


def _diagnostic(tracked: TrackedRange) -> types.Diagnostic:
    instead = f": perhaps `{tracked.text}`?" if tracked.text else ""
    (line, character), (last, end) = tracked.start, tracked.end
    return types.Diagnostic(
        types.Range(types.Position(line, character), types.Position(last, end)),
        f"`{tracked.written}` is unlikely here{instead}",
        severity=types.DiagnosticSeverity.Information,
        code=CODE,
        source=SOURCE,
        data={"text": tracked.text},
    )
