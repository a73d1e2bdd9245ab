"""The commands, and the edit of a chosen code action: carried out with progress and cancel.

What comes to nothing raises `Declined`, an error that clients show. How edits are made is in `actions`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from lsprotocol import types

from lsp_server.actions import actions, images
from lsp_server.actions.action_request import OnStep
from lsp_server.actions.actions import Action
from lsp_server.actions.proofread import DoubtfulWord
from lsp_server.handlers.support import (
    NOT_OPEN,
    Declined,
    Server,
    inside,
    range_of,
    span_of,
    workspace_edit,
)
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal, Snapshot, Span

from . import diagnostics, switch_commands

log = logging.getLogger(__name__)

Token = types.ProgressToken | None

_Result = TypeVar("_Result")


async def resolve(ls: Server, action: types.CodeAction) -> types.CodeAction:
    """The action with its edit."""
    if action.edit or not isinstance(action.data, dict):
        return action
    action.edit = await _edit(ls, action.title, action.data, None)
    return action


async def fill(ls: Server, arguments: list[Any], token: Token) -> types.WorkspaceEdit | None:
    """`infill.fill`: a range's hole, or all holes of the document."""
    data = _to_be_applied(ls, arguments)
    kind = data.get("kind") or (actions.FILL if data.get("range") else actions.FILL_ALL)
    if kind not in actions.KINDS:
        raise Declined(f"there is no action {kind!r}")
    title = actions.KINDS[kind]
    edit = await _edit(ls, title, {**data, "kind": kind}, token)
    return _apply_or_return(ls, f"infill: {title.lower()}", data, edit)


async def rewrite(ls: Server, arguments: list[Any], token: Token) -> types.WorkspaceEdit | None:
    """`infill.rewrite`: a range, as an instruction says."""
    data = _to_be_applied(ls, arguments)
    if not data.get("range"):
        raise Declined("infill.rewrite needs a range: select what is to be rewritten")
    request = {**data, "kind": actions.INSTRUCTION, "message": str(data.get("instruction") or "")}
    try:
        request["image"] = images.from_client(data.get("image"))
    except images.ImageError as error:
        raise Declined(f"infill.rewrite: {error}") from None
    edit = await _edit(ls, "Rewrite", request, token)
    return _apply_or_return(ls, "infill: rewrite", data, edit)


async def proofread(ls: Server, arguments: list[Any], token: Token) -> dict[str, int]:
    """`infill.proofread`: marks the words in doubt of a range, or of the document, as they are found. It ends
    when it is cancelled or the document changes; the marks that were made stay."""
    session, data = ls.session, _parse(arguments)
    snapshot, span = _locate(session, data, whole=not data.get("range"))
    if not data.get("range"):
        span = Span(0, len(snapshot.text))

    def on_piece(piece: Span, words: list[DoubtfulWord]) -> bool:
        if current := session.is_current(snapshot):
            diagnostics.mark(session, snapshot, piece, words)
        return current

    def work(on_step: OnStep) -> Coroutine[Any, Any, list[DoubtfulWord] | Refusal]:
        settings = session.settings_for(snapshot.uri)
        return actions.proofread(snapshot, span, session.worker, settings, session.parses, on_step, on_piece)

    words = await _run(ls, "Proofread", snapshot, token, work)
    return {"found": len(words), "replaceable": sum(bool(each.text) for each in words)}


async def accepted(ls: Server, arguments: list[Any], token: Token) -> None:
    """`infill.accepted`: the client has inserted a suggestion. The arguments are the suggestion's own."""
    for each in arguments:
        if not isinstance(each, dict) or not isinstance(uri := each.get("uri"), str):
            continue
        if each.get("nextEdit") is True:
            ls.session.next_edits.accepted()
        else:
            version = each.get("version")
            ls.session.accepted(uri, version if isinstance(version, int) else None)


async def dismissed(ls: Server, arguments: list[Any], token: Token) -> None:
    """`infill.dismissed`: the user does not want the next edit that is shown."""
    for each in arguments:
        if isinstance(each, dict) and isinstance(uri := each.get("uri"), str):
            ls.session.next_edits.dismissed(uri)


async def restart_worker(ls: Server, arguments: list[Any], token: Token) -> None:
    """`infill.restartWorker`: for all its clients."""
    await ls.session.worker.restart()


COMMANDS = {
    "infill.accepted": accepted,
    "infill.dismissed": dismissed,
    "infill.fill": fill,
    "infill.proofread": proofread,
    "infill.restartWorker": restart_worker,
    "infill.rewrite": rewrite,
    "infill.snooze": switch_commands.snooze,
    "infill.status": switch_commands.status,
    "infill.toggle": switch_commands.toggle,
}


def _apply_or_return(
    ls: Server, label: str, data: dict[str, Any], edit: types.WorkspaceEdit
) -> types.WorkspaceEdit | None:
    """Have the client make the edit; or return it, if the client wants to look at it first."""
    if data.get("apply") is False:
        return edit
    ls.apply(label, edit)
    return None


async def _edit(ls: Server, title: str, data: dict[str, Any], token: Token) -> types.WorkspaceEdit:
    """Carry an action out. `data`: `{uri, kind, range?, version?, message?}`, as `code_actions` makes it."""
    session, kind = ls.session, data["kind"]
    snapshot, span = _locate(session, data, whole=kind == actions.FILL_ALL)
    settings = session.settings_for(snapshot.uri)
    thinking, image = data.get("thinking") is True, data.get("image") or b""
    action = Action(kind, title, span, str(data.get("message", "")), thinking=thinking, image=image)

    async def work(on_step: OnStep) -> tuple[Edit, ...] | Refusal:
        told, by_region = action, None
        if kind == actions.FIX:
            told = replace(action, message=(await session.tracker.cleaned([action.message]))[0])
            by_region = session.by_region(snapshot, span.start)
        return await actions.carry_out(
            told,
            snapshot,
            session.worker,
            settings,
            session.parses,
            on_step,
            session.gather,
            by_region=by_region,
        )

    edits = await _run(ls, title, snapshot, token, work)
    if not all(inside(session, snapshot, edit) for edit in edits):
        raise Declined("the change would reach beyond the cell")
    made = [types.TextEdit(range_of(snapshot, edit.span, session), edit.text) for edit in edits]
    confirm = title if actions.overwrites(action, snapshot, settings, session.parses) else ""
    return workspace_edit(ls, snapshot, made, confirm)


def _locate(session: Session, data: dict[str, Any], *, whole: bool) -> tuple[Snapshot, Span]:
    """The document and the span that a request is about. Raises Declined."""
    uri = data["uri"]
    snapshot, span = session.whole(uri), Span(0, 0)
    if not whole and snapshot:
        at = _parse_range(data.get("range"))
        snapshot = session.snapshot(uri, at.start.line, at.end.line)
        found = span_of(snapshot, at, session) if snapshot else None
        if found is None:
            raise Declined("the range is outside the document")
        span = found
    if snapshot is None:
        raise Declined(NOT_OPEN)
    if data.get("version", snapshot.version) != snapshot.version:
        raise _outdated()
    if refusal := session.refusal(snapshot):
        raise Declined(refusal.message)
    return snapshot, span


async def _run(
    ls: Server,
    title: str,
    snapshot: Snapshot,
    token: Token,
    work: Callable[[OnStep], Coroutine[Any, Any, _Result | Refusal]],
) -> _Result:
    """The result of work on a snapshot, with progress and cancel. Raises Declined where it is refused or
    cancelled, or the document has changed meanwhile."""
    progress = ls.start_progress(title, token)
    task = asyncio.ensure_future(work(progress.report))
    progress.cancels(task)
    try:
        outcome = await task
    except asyncio.CancelledError:
        if (awaiting := asyncio.current_task()) and awaiting.cancelling():  # the request, not the button
            task.cancel()
            raise
        raise Declined("cancelled", code=types.LSPErrorCodes.RequestCancelled.value) from None
    finally:
        progress.end()
    if isinstance(outcome, Refusal):
        log.info("nothing from %s in %s: %s (%s)", title, snapshot.uri, outcome.message, outcome.reason)
        raise Declined(outcome.message)
    if not ls.session.is_current(snapshot):
        raise _outdated()
    return outcome


def _to_be_applied(ls: Server, arguments: list[Any]) -> dict[str, Any]:
    """As `_parse`, for a command whose edit the client is to make. Raises Declined before any work if it
    makes none, unless it wants to look at the edit."""
    data = _parse(arguments)
    if data.get("apply") is not False and not ls.client.applies_edits:
        raise Declined('this editor makes no edits that a server asks for; ask with "apply": false')
    return data


def _parse(arguments: list[Any]) -> dict[str, Any]:
    """A command's one argument. Raises Declined."""
    argument = next(iter(arguments), None)
    if not isinstance(argument, dict) or not isinstance(argument.get("uri"), str):
        raise Declined("the command takes one argument, an object with a uri")
    return argument


def _parse_range(value: Any) -> types.Range:
    """A range as LSP has it, or as `code_actions` keeps it: [[line, character], [line, character]]. Raises
    Declined."""
    try:
        if isinstance(value, dict):
            value = [[value[end]["line"], value[end]["character"]] for end in ("start", "end")]
        (first, left), (last, right) = value
        return types.Range(types.Position(first, left), types.Position(last, right))
    except (TypeError, KeyError, ValueError):
        raise Declined("the range is not one that LSP knows") from None


def _outdated() -> Declined:
    return Declined("the document has changed meanwhile", code=types.LSPErrorCodes.ContentModified.value)
