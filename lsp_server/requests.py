"""Requests for text: parameters in; out, as LSP has it, what `completion`, `next_edit` and `actions` make of
them. Thin, like `server`: parse, snapshot, call, convert. Knows what is needed of the server, not the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server import actions, diagnostics, next_edit, pictures, positions
from lsp_server.actions import Action, Diagnostic
from lsp_server.asked import OnStep
from lsp_server.completion import Selected, complete
from lsp_server.document import Edit, Refusal, Snapshot, Span
from lsp_server.proofread import Doubt
from lsp_server.session import Session
from lsp_server.watching import DRAFT, draft_params
from model_runtime.protocol import Draft

log = logging.getLogger(__name__)

SHORT_LINES = 2_000  # of a document that is searched for holes when no source action was asked for
MOST_DIAGNOSTICS = 4  # that one request for actions is answered for

# Actions that are commands: the client asks for the instruction, or sees marks instead of an edit.
_COMMANDS = {actions.INSTRUCTION: "infill.rewrite", actions.PROOFREAD: "infill.proofread"}

_Result = TypeVar("_Result")


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


async def inline_completion(
    ls: Client, params: types.InlineCompletionParams, steps: int | None = None
) -> types.InlineCompletionList | Refusal:
    """`steps`: of the fill, instead of as many as the model is best with."""
    uri, position, session = params.text_document.uri, params.position, ls.session
    if (place := session.place(uri, position.line, position.character)) is None:
        return Refusal("not-open", "the document is not open")
    snapshot, cursor = place
    info, selected = params.context.selected_completion_info, None
    if info and (span := span_of(snapshot, info.range, session)):
        selected = Selected(span, info.text)

    def send_draft(draft: Draft) -> None:
        ls.send(DRAFT, draft_params(draft, snapshot, position, canvas=ls.wants_canvas))

    # Who asked sees it resolve. Unasked, what resolves may be dropped as unsure: it would only flash.
    invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    outcome = await complete(
        session,
        snapshot,
        cursor,
        invoked=invoked,
        selected=selected,
        on_draft=send_draft if ls.wants_canvas or (invoked and ls.wants_drafts) else None,
        tokens=ls.wants_canvas,
        steps=steps,
    )
    if isinstance(outcome, Refusal):
        return outcome
    return types.InlineCompletionList(
        [
            types.InlineCompletionItem(
                insert_text=edit.text, range=range_of(snapshot, edit.span, session), command=_accepted(edit)
            )
            for edit in outcome
        ]
    )


def copilot_inline_edit(ls: Client, params: Any) -> dict[str, Any]:
    """The next edit, as clients of GitHub's language server ask for it: never null, the version echoed."""
    document, position, session = params.textDocument, params.position, ls.session
    place = session.place(document.uri, position.line, position.character)
    version = getattr(document, "version", None)
    if place is None or (cursor := place[1]) is None or version not in (None, place[0].version):
        return {"edits": []}
    if session.refusal(snapshot := place[0]):
        return {"edits": []}
    found = next_edit.find(snapshot, cursor, session.renames(document.uri), session.parses)
    shown = () if isinstance(found, Refusal) else found
    return {
        "edits": [
            {
                "textDocument": {"uri": document.uri, "version": snapshot.version},
                "range": range_of(snapshot, edit.span, session),
                "text": edit.text,
                "command": _accepted(edit),
            }
            for edit in shown
            if inside(session, snapshot, edit)
        ]
    }


def code_actions(ls: Client, params: types.CodeActionParams) -> list[types.CodeAction]:
    uri, session, context = params.text_document.uri, ls.session, params.context
    place = session.place(uri, params.range.start.line, params.range.start.character)
    if place is None or (span := span_of(place[0], params.range, session)) is None:
        return []
    if session.refusal(snapshot := place[0]):
        return []
    marked = [each for each in context.diagnostics if diagnostics.ours(each)]
    shown = [each for each in context.diagnostics if not diagnostics.ours(each)][:MOST_DIAGNOSTICS]
    spans = (span_of(snapshot, each.range, session) for each in shown)
    faults = [
        Diagnostic(at or Span(0, 0), each.message if at else "")
        for at, each in zip(spans, shown, strict=True)
    ]
    found = list(actions.offered(snapshot, span, faults, session.settings, session.parses))
    asked_for = any(kind.split(".")[0] == "source" for kind in map(_text, context.only or ()))
    invoked = context.trigger_kind is not types.CodeActionTriggerKind.Automatic and not context.only
    short = session.line_count(uri) <= SHORT_LINES
    if (asked_for or (invoked and short)) and (whole := session.whole(uri)):
        found += filter(None, [actions.fills_all(whole, session.settings)])
    made = [
        *(_replacement(ls, snapshot, each, text) for each in marked if (text := diagnostics.better(each))),
        *(_code_action(ls, action, snapshot, shown) for action in found),
    ]
    only = [_text(kind) for kind in context.only or ()]
    return [each for each in made if not only or any(_within(_text(each.kind or ""), kind) for kind in only)]


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
        wanted["image"] = pictures.from_client(data.get("image"))
    except pictures.PictureError as error:
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
    """Carry an action out. `data` is `{uri, kind, range?, version?, message?}`, as `_code_action` made it."""
    session, kind = ls.session, data["kind"]
    snapshot, span = _located(session, data, whole=kind == actions.FILL_ALL)
    thinking, image = data.get("thinking") is True, data.get("image") or b""
    action = Action(kind, title, span, data.get("message", ""), thinking=thinking, image=image)

    def work(on_step: OnStep) -> Coroutine[Any, Any, tuple[Edit, ...] | Refusal]:
        return actions.carry_out(action, snapshot, session, session.settings, session.parses, on_step)

    outcome = await _worked(ls, title, snapshot, token, work)
    if not all(inside(session, snapshot, edit) for edit in outcome):
        raise Declined("the change would reach beyond the cell")
    return _workspace_edit(ls, snapshot, outcome)


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


def _code_action(
    ls: Client, action: Action, snapshot: Snapshot, diagnostics: Sequence[types.Diagnostic]
) -> types.CodeAction:
    where = range_of(snapshot, action.span, ls.session)
    at = [[where.start.line, where.start.character], [where.end.line, where.end.character]]
    data = {"uri": snapshot.uri, "version": snapshot.version, "kind": action.kind, "range": at}
    made = types.CodeAction(action.title, kind=action.kind)
    if action.diagnostic >= 0:
        made.diagnostics = [diagnostics[action.diagnostic]]
        data["message"] = action.message
    if command := _COMMANDS.get(action.kind):
        argument = {"uri": snapshot.uri, "range": where}
        made.command = types.Command(action.title, command, arguments=[argument])
    elif ls.resolves_edits:
        made.data = data
    else:
        made.command = types.Command(action.title, "infill.fill", arguments=[data])
    return made


def _replacement(ls: Client, snapshot: Snapshot, doubted: types.Diagnostic, text: str) -> types.CodeAction:
    """What proofreading would put in a word's place."""
    edit = _text_edits(ls, snapshot, [types.TextEdit(doubted.range, text)])
    return types.CodeAction(f"Replace by `{text}`", kind=actions.FIX, diagnostics=[doubted], edit=edit)


def _workspace_edit(ls: Client, snapshot: Snapshot, edits: Sequence[Edit]) -> types.WorkspaceEdit:
    made = [types.TextEdit(range_of(snapshot, edit.span, ls.session), edit.text) for edit in edits]
    return _text_edits(ls, snapshot, made)


def _text_edits(ls: Client, snapshot: Snapshot, made: Sequence[types.TextEdit]) -> types.WorkspaceEdit:
    if not ls.versioned_edits:
        return types.WorkspaceEdit(changes={snapshot.uri: list(made)})
    document = types.OptionalVersionedTextDocumentIdentifier(snapshot.uri, snapshot.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, list(made))])


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


def _accepted(edit: Edit) -> types.Command:
    told = {"uri": edit.uri, "version": edit.version, "length": len(edit.text)}
    why = {"confidence": edit.confidence, "sources": list(edit.sources)}
    return types.Command(title="infill: accepted", command="infill.accepted", arguments=[told | why])


def _checked(argument: Any) -> dict[str, Any]:
    if not isinstance(argument, dict) or not isinstance(argument.get("uri"), str):
        raise Declined("the command takes one argument, an object with a uri")
    return argument


def _range(value: Any) -> types.Range:
    """A range as LSP has it, or as `_code_action` keeps it."""
    try:
        if isinstance(value, dict):
            value = [[value[end]["line"], value[end]["character"]] for end in ("start", "end")]
        (first, left), (last, right) = value
        return types.Range(types.Position(first, left), types.Position(last, right))
    except (TypeError, KeyError, ValueError):
        raise Declined("the range is not one that LSP knows") from None


def _moved_on() -> Declined:
    return Declined("the document has changed meanwhile", code=types.LSPErrorCodes.ContentModified.value)


def _text(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _within(kind: str, only: str) -> bool:
    return not only or kind == only or kind.startswith(only + ".")
