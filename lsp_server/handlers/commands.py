"""Actions and commands carried out: resolve, fill, rewrite, proofread. With progress, cancel, and an error
that clients show where nothing comes of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lsprotocol import types

from lsp_server.actions import actions, images
from lsp_server.actions.action_request import OnStep
from lsp_server.actions.actions import Action
from lsp_server.actions.proofread import Doubt
from lsp_server.handlers.support import Client, Declined, inside, range_of, span_of, workspace_edit
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal, Snapshot, Span

from . import diagnostics

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


async def resolve(ls: Client, action: types.CodeAction) -> types.CodeAction:
    """The action with its edit. What cannot be done is an error, which clients show."""
    if action.edit or not isinstance(action.data, dict):
        return action
    action.edit = await _edit(ls, action.title, action.data, None)
    return action


async def fill(ls: Client, argument: Any, token: types.ProgressToken | None) -> types.WorkspaceEdit | None:
    """The command `infill.fill`: a range's hole, or all of the document's."""
    data = _checked(argument)
    kind = data.get("kind") or (actions.FILL if data.get("range") else actions.FILL_ALL)
    if kind not in actions.KINDS:
        raise Declined(f"there is no action {kind!r}")
    return _given(ls, "infill: fill", data, await _edit(ls, "Fill", {**data, "kind": kind}, token))


async def rewrite(ls: Client, argument: Any, token: types.ProgressToken | None) -> types.WorkspaceEdit | None:
    """The command `infill.rewrite`."""
    data = _checked(argument)
    if not data.get("range"):
        raise Declined("infill.rewrite needs a range: select what is to be rewritten")
    wanted = {**data, "kind": actions.INSTRUCTION, "message": str(data.get("instruction") or "")}
    try:
        wanted["image"] = images.from_client(data.get("image"))
    except images.PictureError as error:
        raise Declined(f"infill.rewrite: {error}") from None
    return _given(ls, "infill: rewrite", data, await _edit(ls, "Rewrite", wanted, token))


def _given(
    ls: Client, label: str, data: dict[str, Any], edit: types.WorkspaceEdit
) -> types.WorkspaceEdit | None:
    """Have the client make the edit, unless it asked for it as the answer, to look at it first."""
    if data.get("apply") is False:
        return edit
    ls.apply(label, edit)
    return None


async def proofread(ls: Client, argument: Any, token: types.ProgressToken | None) -> dict[str, int]:
    """The command `infill.proofread`: marks the words in doubt."""
    session, data = ls.session, _checked(argument)
    snapshot, span = _located(session, data, whole=False)

    def work(on_step: OnStep) -> Coroutine[Any, Any, list[Doubt] | Refusal]:
        return actions.proofread(snapshot, span, session, session.settings, session.parses, on_step)

    doubts = await _worked(ls, "Proofread", snapshot, token, work)
    diagnostics.mark(session, snapshot, span, doubts)
    return {"found": len(doubts)}


async def _edit(
    ls: Client, title: str, data: dict[str, Any], token: types.ProgressToken | None
) -> types.WorkspaceEdit:
    """Carry an action out. `data` is `{uri, kind, range?, version?, message?}`, as `code_actions` made it."""
    session, kind = ls.session, data["kind"]
    snapshot, span = _located(session, data, whole=kind == actions.FILL_ALL)
    thinking, image = data.get("thinking") is True, data.get("image") or b""
    action = Action(kind, title, span, data.get("message", ""), thinking=thinking, image=image)

    def work(on_step: OnStep) -> Coroutine[Any, Any, tuple[Edit, ...] | Refusal]:
        return actions.carry_out(action, snapshot, session, session.settings, session.parses, on_step)

    outcome = await _worked(ls, title, snapshot, token, work)
    if not all(inside(session, snapshot, edit) for edit in outcome):
        raise Declined("the change would reach beyond the cell")
    made = [types.TextEdit(range_of(snapshot, edit.span, session), edit.text) for edit in outcome]
    return workspace_edit(ls, snapshot, made)


def _located(session: Session, data: dict[str, Any], *, whole: bool) -> tuple[Snapshot, Span]:
    """The document and the range in it that a request is about. Raises Declined."""
    uri = data["uri"]
    snapshot, span = session.whole(uri), Span(0, 0)
    if not whole and snapshot:
        at = _range(data.get("range"))
        snapshot = session.snapshot(uri, at.start.line)
        found = span_of(snapshot, at, session) if snapshot else None
        if found is None:
            raise Declined("the range is outside the document")
        span = found
    if snapshot is None:
        raise Declined(f"{uri} is not open in the editor")
    if data.get("version", snapshot.version) != snapshot.version:
        raise _moved_on()
    if refusal := session.refusal(snapshot):
        raise Declined(refusal.message)
    return snapshot, span


async def _worked(
    ls: Client,
    title: str,
    snapshot: Snapshot,
    token: types.ProgressToken | None,
    work: Callable[[OnStep], Coroutine[Any, Any, _Result | Refusal]],
) -> _Result:
    """The result of some work on a snapshot, with progress and cancel. Raises Declined, also where the
    document has moved on."""
    progress = ls.steps(title, token)
    task = asyncio.ensure_future(work(progress.report))
    progress.cancels(task)
    try:
        outcome = await task
    except asyncio.CancelledError:
        if (awaiting := asyncio.current_task()) and awaiting.cancelling():
            task.cancel()
            raise
        raise Declined("cancelled", code=types.LSPErrorCodes.RequestCancelled.value) from None
    finally:
        progress.end()
    if isinstance(outcome, Refusal):
        log.info("nothing from %s in %s: %s (%s)", title, snapshot.uri, outcome.message, outcome.reason)
        raise Declined(outcome.message)
    if not ls.session.is_current(snapshot):
        raise _moved_on()
    return outcome


def _checked(argument: Any) -> dict[str, Any]:
    if not isinstance(argument, dict) or not isinstance(argument.get("uri"), str):
        raise Declined("the command takes one argument, an object with a uri")
    return argument


def _range(value: Any) -> types.Range:
    """A range as LSP has it, or as `code_actions` keeps it."""
    try:
        if isinstance(value, dict):
            value = [[value[end]["line"], value[end]["character"]] for end in ("start", "end")]
        (first, left), (last, right) = value
        return types.Range(types.Position(first, left), types.Position(last, right))
    except (TypeError, KeyError, ValueError):
        raise Declined("the range is not one that LSP knows") from None


def _moved_on() -> Declined:
    return Declined("the document has changed meanwhile", code=types.LSPErrorCodes.ContentModified.value)
