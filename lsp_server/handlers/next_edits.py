"""The next edit: our own request, and the one that clients of GitHub's language server make.

Where the text should change is decided in `next_edit`."""

from __future__ import annotations

import logging
from typing import Any

from lsp_server.actions.actions import Diagnostic
from lsp_server.handlers.support import Server, accepted, inside, range_of, span_of
from lsp_server.next_edit.lanes import lane_of
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal, Snapshot

NEXT_EDIT = "infill/nextEdit"
COPILOT = "textDocument/copilotInlineEdit"
MOST_PROBLEMS = 64  # of one request that are looked at

log = logging.getLogger(__name__)


async def next_edit(ls: Server, params: Any) -> dict[str, Any]:
    """`infill/nextEdit`: the edits of one lane, the nearest to the cursor first, each with who is how sure of
    it; and why there are none."""
    found = await _found(ls, params)
    if isinstance(found, Refusal):
        return {"edits": [], "reason": found.reason, "message": found.message}
    return {"edits": found}


async def copilot_inline_edit(ls: Server, params: Any) -> dict[str, Any]:
    """The same for clients of GitHub's language server: never null, the version echoed.

    A client that asks for one is told of the worker's status from then on.
    """
    ls.wants_next_edits, ls.session.worker.on_status = True, ls.send_status
    found = await _found(ls, params)
    standard = ("textDocument", "range", "text", "command")
    shown = [] if isinstance(found, Refusal) else found
    return {"edits": [{name: each[name] for name in standard} for each in shown]}


async def _found(ls: Server, params: Any) -> list[dict[str, Any]] | Refusal:
    document, position, session = params.textDocument, params.position, ls.session
    version = getattr(document, "version", None)
    place = session.place(document.uri, position.line, position.character)
    if place is None or (cursor := place[1]) is None:
        return Refusal("not-open", "the document is not open, or has no such place")
    snapshot = place[0]
    if version not in (None, snapshot.version):
        return Refusal("superseded", "the document has changed since the request")
    if refusal := session.silence(snapshot):
        return refusal
    if not session.settings_for(snapshot.uri).next_edit_enabled:
        return Refusal("off", "infill.nextEdit.enabled is false")
    found = await session.suggest_next_edits(snapshot, cursor, _problems(params, snapshot, session))
    if isinstance(found, Refusal):
        return found
    log.info("%d next edits in %s", len(found), snapshot.uri)
    return [_told(ls, snapshot, each) for each in found if inside(session, snapshot, each)]


def _problems(params: Any, snapshot: Snapshot, session: Session) -> list[Diagnostic]:
    """What the client says is wrong around the cursor, if it says anything."""
    told = getattr(getattr(params, "context", None), "diagnostics", None) or ()
    spans = [(span_of(snapshot, each.range, session), each.message) for each in told[:MOST_PROBLEMS]]
    return [Diagnostic(span, message) for span, message in spans if span and isinstance(message, str)]


def _told(ls: Server, snapshot: Snapshot, edit: Edit) -> dict[str, Any]:
    return {
        "textDocument": {"uri": edit.uri, "version": snapshot.version},
        "range": range_of(snapshot, edit.span, ls.session),
        "text": edit.text,
        "lane": lane_of(edit),
        "rule": edit.sources[0],
        "confidence": edit.confidence,
        "command": accepted(edit, next_edit=True),
    }
