"""The code actions at a range: what `actions` offers there, and replacements for words in doubt.

Finds them without the model; `commands` carries out the one that the user chooses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from lsprotocol import types

from lsp_server.actions import actions
from lsp_server.actions.actions import Action, Diagnostic
from lsp_server.actions.tracked_ranges import TrackedRange
from lsp_server.handlers.support import Server, range_of, span_of, workspace_edit
from lsp_server.session.session import Session
from lsp_server.text.document import Snapshot, Span

from . import diagnostics

SHORT_LINES = 2_000  # a longer document is searched for holes only when a source action is asked for
MOST_DIAGNOSTICS = 4  # of one request that fixes are looked for

# Actions that are commands: the client asks for the instruction, or sees marks instead of an edit.
_COMMANDS = {actions.INSTRUCTION: "infill.rewrite", actions.PROOFREAD: "infill.proofread"}


async def code_actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    uri, start, session = params.text_document.uri, params.range.start, ls.session
    only = [_text(kind) for kind in params.context.only or ()]
    snapshot = session.snapshot(uri, start.line, params.range.end.line)
    if snapshot is None or (span := span_of(snapshot, params.range, session)) is None:
        return []
    if session.refusal(snapshot):
        return []
    others = [each for each in params.context.diagnostics if not diagnostics.is_ours(each)]
    others = others[:MOST_DIAGNOSTICS]
    found = [(each.range.start.line, each.message) for each in others]
    session.note_problems(snapshot, (start.line, params.range.end.line), found)
    problems = [_problem(each, snapshot, session) for each in others]
    settings, asks = session.settings_for(uri), ls.client.asks_instructions
    found = list(actions.offered(snapshot, span, problems, settings, session.parses, asks=asks))
    if _searches_document(params.context, only, session.line_count(uri)) and (whole := session.whole(uri)):
        # In a thread: a large file takes a second, in which keystrokes are to be answered.
        found += filter(None, [await asyncio.to_thread(actions.fills_all, whole, settings)])
    if not (ls.client.resolves_edits or ls.client.applies_edits):
        found = [each for each in found if each.kind == actions.PROOFREAD]  # the others end in an edit
    made = [
        *_replacements(ls, snapshot, diagnostics.at(session, uri, params.range)),
        *(_code_action(ls, action, snapshot, others) for action in found),
    ]
    return [each for each in made if not only or any(_within(_text(each.kind or ""), kind) for kind in only)]


def _searches_document(context: types.CodeActionContext, only: Sequence[str], lines: int) -> bool:
    """Whether all of the document is searched for holes: on each move of the cursor that would be slow."""
    if any(kind.split(".")[0] == "source" for kind in only):
        return True
    automatic = context.trigger_kind is types.CodeActionTriggerKind.Automatic
    return not automatic and not only and lines <= SHORT_LINES


def _problem(diagnostic: types.Diagnostic, snapshot: Snapshot, session: Session) -> Diagnostic:
    """Without a message, for which there is no fix, where the snapshot does not hold its range."""
    span = span_of(snapshot, diagnostic.range, session)
    return Diagnostic(span, diagnostic.message) if span else Diagnostic(Span(0, 0), "")


def _code_action(
    ls: Server, action: Action, snapshot: Snapshot, diagnostics: Sequence[types.Diagnostic]
) -> types.CodeAction:
    """An action that the client resolves, or else a command that makes its edit. `diagnostics` are those that
    the actions were offered for."""
    where = range_of(snapshot, action.span, ls.session)
    at = [[where.start.line, where.start.character], [where.end.line, where.end.character]]
    data = {"uri": snapshot.uri, "version": snapshot.version, "kind": action.kind, "range": at}
    made = types.CodeAction(action.title, kind=action.kind)
    if action.diagnostic >= 0:
        made.diagnostics = [diagnostics[action.diagnostic]]
    if action.message:
        data["message"] = action.message
    if (command := _COMMANDS.get(action.kind)) and not action.message:
        argument = {"uri": snapshot.uri, "range": where}
        made.command = types.Command(action.title, command, arguments=[argument])
    elif ls.client.resolves_edits:
        made.data = data
    else:
        made.command = types.Command(action.title, "infill.fill", arguments=[data])
    return made


def _replacements(
    ls: Server, snapshot: Snapshot, doubted: Iterable[TrackedRange]
) -> Iterable[types.CodeAction]:
    """What proofreading would put in the place of words in doubt, where it has something."""
    for each in doubted:
        if each.text:
            shown = diagnostics.diagnostic_of(each)
            edit = workspace_edit(ls, snapshot, [types.TextEdit(shown.range, each.text)])
            title = f"Replace by `{each.text}`"
            yield types.CodeAction(title, kind=actions.FIX, diagnostics=[shown], edit=edit)


def _text(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _within(kind: str, only: str) -> bool:
    """Whether a kind is `only` or below it: kinds are hierarchical, with dots. Everything is below ""."""
    return not only or kind == only or kind.startswith(only + ".")
