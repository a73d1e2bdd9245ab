"""What the handlers of requests share: what they need of the server, how they decline, and places in a
document as LSP has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.session.session import Session
from lsp_server.text import positions
from lsp_server.text.document import Edit, Snapshot, Span


class Progress(Protocol):
    def report(self, message: str, percentage: int | None) -> None: ...

    def cancels(self, task: asyncio.Task[Any]) -> None: ...

    def end(self) -> None: ...


class Client(Protocol):
    """What is needed of the server: its state, and how to speak to its client."""

    session: Session
    wants_drafts: bool
    wants_canvas: bool  # in its drafts
    resolves_edits: bool  # the client asks for an action's edit when it is chosen
    versioned_edits: bool  # it takes edits of a version of a document

    def send(self, method: str, params: Any) -> None: ...

    def apply(self, label: str, edit: types.WorkspaceEdit) -> None: ...

    def steps(self, title: str, token: types.ProgressToken | None) -> Progress: ...


class Declined(JsonRpcException):
    """The answer where an action comes to nothing; the message is one line for a person."""

    CODE = types.LSPErrorCodes.RequestFailed.value


def range_of(snapshot: Snapshot, span: Span, session: Session) -> types.Range:
    places = (positions.to_position(snapshot.text, at, session.encoding) for at in (span.start, span.end))
    start, end = (types.Position(snapshot.first_line + line, character) for line, character in places)
    return types.Range(start, end)


def span_of(snapshot: Snapshot, at: types.Range, session: Session) -> Span | None:
    """None where the snapshot does not hold the range."""
    start, end = (
        positions.to_offset(
            snapshot.text, place.line - snapshot.first_line, place.character, session.encoding
        )
        for place in (at.start, at.end)
    )
    return None if start is None or end is None else Span(min(start, end), max(start, end))


def inside(session: Session, snapshot: Snapshot, edit: Edit) -> bool:
    """Whether an edit stays in its document: a notebook's cell is shown between the others."""
    at = range_of(snapshot, edit.span, session)
    return at.start.line >= 0 and at.end.line < session.line_count(snapshot.uri)


def workspace_edit(ls: Client, snapshot: Snapshot, made: Sequence[types.TextEdit]) -> types.WorkspaceEdit:
    if not ls.versioned_edits:
        return types.WorkspaceEdit(changes={snapshot.uri: list(made)})
    document = types.OptionalVersionedTextDocumentIdentifier(snapshot.uri, snapshot.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, list(made))])


def accepted(edit: Edit) -> types.Command:
    told = {"uri": edit.uri, "version": edit.version, "length": len(edit.text)}
    why = {"confidence": edit.confidence, "sources": list(edit.sources)}
    return types.Command(title="infill: accepted", command="infill.accepted", arguments=[told | why])
