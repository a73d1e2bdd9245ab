"""What proofreading found, as diagnostics of the client: which it is told, and what it says of them later.

The diagnostics carry what may stand in the word's place, so nothing has to be looked up when they come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lsprotocol import types

from lsp_server.actions.proofread import Doubt
from lsp_server.actions.tracked_ranges import Mark, Marks, Place
from lsp_server.session.session import Session
from lsp_server.text import positions
from lsp_server.text.document import Snapshot, Span

SOURCE, CODE = "infill-ls", "proofread"


def mark(session: Session, snapshot: Snapshot, read: Span, doubts: Sequence[Doubt]) -> None:
    """Keep the doubts about a part of a document in place of earlier ones about it."""

    def place(offset: int) -> Place:
        line, character = positions.to_position(snapshot.text, offset, session.encoding)
        return snapshot.first_line + line, character

    marks = [
        Mark(
            place(each.span.start),
            place(each.span.end),
            snapshot.text[each.span.start : each.span.end],
            each.text,
        )
        for each in doubts
    ]
    session.marks.put(snapshot.uri, marks, place(read.start), place(read.end))


def publisher(marks: Marks, send: Callable[[types.PublishDiagnosticsParams], None]) -> Callable[[str], None]:
    """Tells the client a document's marks."""
    return lambda uri: send(types.PublishDiagnosticsParams(uri, [_diagnostic(m) for m in marks.of(uri)]))


def ours(diagnostic: types.Diagnostic) -> bool:
    return diagnostic.source == SOURCE and diagnostic.code == CODE


def better(diagnostic: types.Diagnostic) -> str:
    """What may stand in the place of a word in doubt; empty where there is nothing."""
    data: Any = diagnostic.data
    text = data.get("text") if isinstance(data, dict) else getattr(data, "text", None)
    return text if isinstance(text, str) else ""


def _diagnostic(mark: Mark) -> types.Diagnostic:
    instead = f": perhaps `{mark.text}`?" if mark.text else ""
    (line, character), (last, end) = mark.start, mark.end
    return types.Diagnostic(
        types.Range(types.Position(line, character), types.Position(last, end)),
        f"`{mark.written}` is unlikely here{instead}",
        severity=types.DiagnosticSeverity.Information,
        code=CODE,
        source=SOURCE,
        data={"text": mark.text},
    )
