"""The light bulb: what `actions` offers at a range, as code actions."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from lsp_server.actions import actions
from lsp_server.actions.actions import Action, Diagnostic
from lsp_server.handlers.support import Client, range_of, span_of, workspace_edit
from lsp_server.text.document import Snapshot, Span

from . import diagnostics

SHORT_LINES = 2_000  # of a document that is searched for holes when no source action was asked for
MOST_DIAGNOSTICS = 4  # that one request for actions is answered for

# Actions that are commands: the client asks for the instruction, or sees marks instead of an edit.
_COMMANDS = {actions.INSTRUCTION: "infill.rewrite", actions.PROOFREAD: "infill.proofread"}


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
    edit = workspace_edit(ls, snapshot, [types.TextEdit(doubted.range, text)])
    return types.CodeAction(f"Replace by `{text}`", kind=actions.FIX, diagnostics=[doubted], edit=edit)


def _text(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _within(kind: str, only: str) -> bool:
    return not only or kind == only or kind.startswith(only + ".")
