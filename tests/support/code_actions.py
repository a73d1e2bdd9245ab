"""Code actions and commands, as an editor for tests asks for them."""

from __future__ import annotations

import ast
import asyncio
from typing import Any

from lsprotocol import types as lsp

from tests.support.editor import (
    TIMEOUT,
    URI,
    Editor,
)

ABLE = {
    "window": lsp.WindowClientCapabilities(work_done_progress=True),
    "workspace": lsp.WorkspaceClientCapabilities(
        apply_edit=True, workspace_edit=lsp.WorkspaceEditClientCapabilities(document_changes=True)
    ),
    "text_document": lsp.TextDocumentClientCapabilities(
        code_action=lsp.CodeActionClientCapabilities(
            resolve_support=lsp.ClientCodeActionResolveOptions(["edit"]), data_support=True
        )
    ),
}


async def actions_at(
    it: Editor, start: tuple[int, int], end: tuple[int, int] | None = None, **context: Any
) -> list[lsp.CodeAction]:
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(URI),
        lsp.Range(lsp.Position(*start), lsp.Position(*(end or start))),
        lsp.CodeActionContext(**{"diagnostics": [], **context}),
    )
    found = await asyncio.wait_for(it.client.text_document_code_action_async(params), TIMEOUT)
    return [action for action in found or () if isinstance(action, lsp.CodeAction)]


async def commands_at(it: Editor, start: tuple[int, int], end: tuple[int, int], kind: str) -> list[Any]:
    """The commands of actions; lsprotocol's client takes such an action for a command of that name."""
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(URI),
        lsp.Range(lsp.Position(*start), lsp.Position(*end)),
        lsp.CodeActionContext([], [kind]),
    )
    found = await asyncio.wait_for(it.client.text_document_code_action_async(params), TIMEOUT)
    return [ast.literal_eval(each.command) for each in found or () if isinstance(each, lsp.Command)]


async def resolved(it: Editor, action: lsp.CodeAction) -> lsp.CodeAction:
    return await asyncio.wait_for(it.client.code_action_resolve_async(action), TIMEOUT)


def applied(text: str, edit: lsp.WorkspaceEdit | None, version: int = 1) -> str:
    """An ASCII text with an edit of its current version made."""
    assert edit
    (change,) = edit.document_changes or ()
    assert isinstance(change, lsp.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (URI, version)
    lines = [*text.splitlines(keepends=True), ""]

    def offset(at: lsp.Position) -> int:
        return sum(map(len, lines[: at.line])) + at.character

    for part in sorted(change.edits, key=lambda each: offset(each.range.start), reverse=True):
        assert isinstance(part, lsp.TextEdit)
        text = text[: offset(part.range.start)] + part.new_text + text[offset(part.range.end) :]
    return text


async def command(it: Editor, name: str, argument: Any, token: str | None = None) -> Any:
    params = lsp.ExecuteCommandParams(name, [argument], work_done_token=token)
    return await asyncio.wait_for(it.client.workspace_execute_command_async(params), TIMEOUT)
