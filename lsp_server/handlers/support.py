"""What the handlers of requests share: what they need of the server, how they decline, and spans as LSP
ranges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.handlers.client_capabilities import ClientCapabilities
from lsp_server.session.session import Session
from lsp_server.session.worker_status import WorkerStatus
from lsp_server.text import positions
from lsp_server.text.document import Edit, Refusal, Snapshot, Span

# Some clients open a file for the languages only that they start the server for.
NOT_OPEN = "this file is not open for infill-ls; its client may open files of some languages only"


class Progress(Protocol):
    def report(self, message: str, percentage: int | None) -> None: ...

    def cancels(self, task: asyncio.Task[Any]) -> None: ...

    def end(self) -> None: ...


class Server(Protocol):
    """What handlers need of the server: its state, and how to speak to its client. See `InfillServer`."""

    session: Session
    client: ClientCapabilities
    wants_next_edits: bool
    configured: asyncio.Event

    def send(self, method: str, params: Any) -> None: ...

    def send_status(self, status: WorkerStatus) -> None: ...

    def notify_refused(self, refusal: Refusal) -> None: ...

    def notify_worked(self) -> None: ...

    def apply(self, label: str, edit: types.WorkspaceEdit) -> None: ...

    def start_progress(self, title: str, token: types.ProgressToken | None) -> Progress: ...


class Declined(JsonRpcException):
    """The answer where an action comes to nothing; the message is one line for a person."""

    CODE = types.LSPErrorCodes.RequestFailed.value


def range_of(snapshot: Snapshot, span: Span, session: Session) -> types.Range:
    """A span of the snapshot's text as a range of the document. ValueError above a notebook's cell, where LSP
    has no lines: see `inside`."""
    places = (positions.to_position(snapshot.text, at, session.encoding) for at in (span.start, span.end))
    start, end = (types.Position(snapshot.first_line + line, character) for line, character in places)
    return types.Range(start, end)


def lines_of(snapshot: Snapshot, span: Span) -> tuple[int, int]:
    """The first and the last line of a span, as lines of the document: negative above a notebook's cell."""
    first, last = (
        snapshot.first_line + positions.to_position(snapshot.text, at, "utf-32")[0]
        for at in (span.start, span.end)
    )
    return first, last


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
    """Whether an edit stays in its document: a notebook's cell is shown between the other cells."""
    first, last = lines_of(snapshot, edit.span)
    return first >= 0 and last < session.line_count(snapshot.uri)


def workspace_edit(
    ls: Server, snapshot: Snapshot, edits: Sequence[types.TextEdit], confirm: str = ""
) -> types.WorkspaceEdit:
    """Edits of the snapshot's document; with its version if the client takes that. `confirm`: what they do,
    if the user is to look at them first and the client can show them."""
    if not ls.client.versioned_edits:
        return types.WorkspaceEdit(changes={snapshot.uri: list(edits)})
    document = types.OptionalVersionedTextDocumentIdentifier(snapshot.uri, snapshot.version)
    if not confirm or not ls.client.annotated_edits:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, list(edits))])
    annotated = [types.AnnotatedTextEdit("confirm", each.range, each.new_text) for each in edits]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(document, annotated)],
        change_annotations={"confirm": types.ChangeAnnotation(confirm, needs_confirmation=True)},
    )


def accepted(edit: Edit, *, next_edit: bool = False) -> types.Command:
    """The command that a client runs when it has inserted the edit."""
    argument = {
        "uri": edit.uri,
        "version": edit.version,
        "length": len(edit.text),
        "confidence": edit.confidence,
        "sources": list(edit.sources),
    }
    argument |= {"nextEdit": True} if next_edit else {}
    return types.Command(title="infill: accepted", command="infill.accepted", arguments=[argument])
