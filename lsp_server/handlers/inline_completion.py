"""Text at the cursor. What is worth showing is decided in `session.completion`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from lsprotocol import types

from lsp_server.handlers.extensions import DRAFT, REFUSED, draft_params, parse_completion, refused_params
from lsp_server.handlers.support import Server, accepted, range_of, span_of
from lsp_server.session.completion import Selected, complete
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal, Snapshot
from model_runtime.protocol import Draft

log = logging.getLogger(__name__)

# Refusals of requests whose answer nobody needs any more. The answer is null, which leaves alone what the
# editor shows; an empty list would take it back.
_STALE = {"superseded", "cancelled"}

# Refusals that are no news while the user types: of the file, of the place, of what the model wrote for it.
_USUAL = {
    *("off", "off-here", "snoozed", "language", "excluded", "no-grammar", "generated"),
    *("comment", "finished", "string", "syntax", "word"),
    *("confidence", "empty", "parse", "repeats", "same", "short", "unprintable"),
}


async def inline_completion(
    ls: Server, params: types.InlineCompletionParams, steps: int | None = None
) -> types.InlineCompletionList | None:
    """The suggestions at the cursor, and the notices that go with them. `steps`: of the fill, in place of the
    model's own choice."""
    uri, at = params.text_document.uri, params.position
    where = f"{uri}:{at.line + 1}:{at.character + 1}"
    outcome = await _suggestions(ls, params, steps)
    if not isinstance(outcome, Refusal):
        ls.notify_worked()
        new = ls.session.count_shown(uri)
        log.log(logging.INFO if new else logging.DEBUG, "%d offered for %s", len(outcome.items), where)
        return outcome
    stale = outcome.reason in _STALE
    if ls.client.wants_refusals and not stale:
        ls.send(REFUSED, refused_params(outcome, uri, at))
    quiet = stale or (outcome.reason in _USUAL and not _is_invoked(params))
    level = logging.DEBUG if quiet else logging.INFO
    log.log(level, "nothing for %s: %s (%s)", where, outcome.message, outcome.reason)
    ls.notify_refused(outcome)
    return None if stale else types.InlineCompletionList([])


async def watched_completion(ls: Server, params: Any) -> types.InlineCompletionList | None:
    """`infill/inlineCompletion`: the standard's request for a client that chooses the number of steps."""
    standard, steps = parse_completion(params)
    return await inline_completion(ls, standard, steps)


async def _suggestions(
    ls: Server, params: types.InlineCompletionParams, steps: int | None
) -> types.InlineCompletionList | Refusal:
    position, session = params.position, ls.session
    place = session.place(params.text_document.uri, position.line, position.character)
    if place is None:
        return Refusal("not-open", "the document is not open")
    snapshot, cursor = place
    outcome = await complete(
        session,
        snapshot,
        cursor,
        invoked=_is_invoked(params),
        selected=_selected(params, snapshot, session),
        on_draft=_draft_sender(ls, params, snapshot),
        tokens=ls.client.wants_canvas,
        steps=steps,
    )
    return outcome if isinstance(outcome, Refusal) else _items(outcome, snapshot, session)


def _is_invoked(params: types.InlineCompletionParams) -> bool:
    return params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked


def _selected(params: types.InlineCompletionParams, snapshot: Snapshot, session: Session) -> Selected | None:
    info = params.context.selected_completion_info
    span = span_of(snapshot, info.range, session) if info else None
    return Selected(span, info.text) if info and span else None


def _draft_sender(
    ls: Server, params: types.InlineCompletionParams, snapshot: Snapshot
) -> Callable[[Draft], None] | None:
    """Sends drafts to a client that wants them. A client that draws no canvas gets none of an automatic
    request: its answer may be dropped as unsure, and the drafts would only flash."""
    client = ls.client
    if not client.wants_canvas and not (client.wants_drafts and _is_invoked(params)):
        return None
    return lambda draft: ls.send(
        DRAFT, draft_params(draft, snapshot, params.position, canvas=client.wants_canvas)
    )


def _items(edits: Iterable[Edit], snapshot: Snapshot, session: Session) -> types.InlineCompletionList:
    return types.InlineCompletionList(
        [
            types.InlineCompletionItem(
                insert_text=edit.text, range=range_of(snapshot, edit.span, session), command=accepted(edit)
            )
            for edit in edits
        ]
    )
