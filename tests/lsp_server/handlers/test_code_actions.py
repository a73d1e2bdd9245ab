"""Which code actions are offered where, and the edits that they resolve to."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.code_actions import ABLE, actions_at, applied, command, commands_at, resolved
from tests.support.editor import (
    RECORDED,
    URI,
    editor,
    eventually,
    last_fill,
    listen,
    served,
)

DIAGNOSTIC = lsp.Diagnostic(lsp.Range(lsp.Position(1, 4), lsp.Position(1, 7)), "undefined\nname")


ACTIONS: list[tuple[Any, ...]] = [
    ("def f():\n    pass\n", (1, 6), None, {}, "refactor.rewrite.infill.fill", "def f():\n    filled\n"),
    ("a = 1\nb = 2\n", (0, 4), (0, 5), {}, "refactor.rewrite.infill.fill", "a = filled\nb = 2\n"),
    # Cursors on "pass" that are a block, as in Helix, or the whole line, as in Vim.
    ("def f():\n    pass\n", (1, 5), (1, 6), {}, "refactor.rewrite.infill.fill", "def f():\n    filled\n"),
    ("def f():\n    pass\n", (1, 0), (2, 0), {}, "refactor.rewrite.infill.fill", "def f():\n    filled\n"),
    (
        "def f():\n    pass\n\n\ndef g():\n    ...\n",
        (3, 0),
        None,
        {"only": ["source.fillAll.infill"]},
        "source.fillAll.infill",
        "def f():\n    filled\n\n\ndef g():\n    filled\n",
    ),
    (
        "# fill: a = 5\nb = foo\nc = 1\n",
        (1, 4),
        None,
        {"diagnostics": [DIAGNOSTIC]},
        "quickfix.infill",
        "# fill: a = 5\na = 5\nc = 1\n",
    ),
    (
        "def f():\n    return 1\n",
        (0, 4),
        None,
        {},
        "refactor.rewrite.infill.docstring",
        'def f():\n    """filled"""\n    return 1\n',
    ),
    (
        'def f():\n    """Old."""\n    return 1\n',
        (0, 4),
        None,
        {},
        "refactor.rewrite.infill.docstring",
        'def f():\n    """filled"""\n    return 1\n',
    ),
]


async def test_actions_and_their_edits() -> None:
    async with editor(RECORDED, **ABLE) as it:
        steps = listen(it, "$/progress")
        it.client.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda params: None)
        for text, start, end, context, kind, becomes in ACTIONS:
            it.open(text)
            before = await served(it)
            found = {action.kind: action for action in await actions_at(it, start, end, **context)}
            assert kind in found, (text, found)
            assert found[kind].edit is None  # not before it is chosen
            assert await served(it) == before
            assert applied(text, (await resolved(it, found[kind])).edit) == becomes
        kinds = [step.value["kind"] for step in steps]
        assert kinds.count("begin") == kinds.count("end")


async def test_a_diagnostic_s_message_stands_above_its_statement() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("# fill: a = 5\nb = foo\nc = 1\n")
        (action, *_) = await actions_at(it, (1, 4), only=["quickfix"], diagnostics=[DIAGNOSTIC])
        assert (action.title, action.diagnostics) == ("Fix: undefined", (DIAGNOSTIC,))
        await resolved(it, action)
        assert (await last_fill(it))["prefix"] == "# fill: a = 5\n# undefined name\n"


NOTHING: list[tuple[Any, ...]] = [
    ("a = 1\n", (0, 3), None, {}),  # nothing to fill, no function, no diagnostic
    ("a = 1\n\n", (1, 0), (2, 0), {}),  # blank
    ("a = 1\n", (7, 0), None, {}),
    ("def f():\n    pass\n", (1, 6), None, {"only": ["quickfix"]}),
    ("a = " + "1 + " * 200 + "1\n", (0, 0), (0, 800), {}),  # longer than a hole
]


async def test_nothing_to_be_done() -> None:
    async with editor(RECORDED, **ABLE) as it:
        for text, start, end, context in NOTHING:
            it.open(text)
            assert await actions_at(it, start, end, **context) == [], text


async def test_clients_that_resolve_nothing_get_commands() -> None:
    able = lsp.WorkspaceClientCapabilities(apply_edit=True)
    async with editor(RECORDED, workspace=able) as it:
        edits: list[Any] = []
        it.client.feature(lsp.WORKSPACE_APPLY_EDIT)(
            lambda params: edits.append(params.edit) or lsp.ApplyWorkspaceEditResult(applied=True)
        )
        it.open("def f():\n    pass\n")
        (made,) = await commands_at(it, (1, 4), (1, 4), "refactor.rewrite.infill.fill")
        await command(it, made["command"], made["arguments"][0])
        await eventually(lambda: edits)
        (change,) = edits[0].changes[URI]
        assert change.new_text == "filled"


async def test_an_instruction_is_asked_for_by_the_client() -> None:
    asks = {"experimental": {"infill": {"instructions": True}}}
    async with editor(RECORDED, options={"model": "/some/folder"}, **ABLE, **asks) as it:
        it.open("a = 1\n")
        (made,) = await commands_at(it, (0, 0), (0, 5), "refactor.rewrite.infill.instruction")
        assert made["command"] == "infill.rewrite"
        assert made["arguments"][0]["uri"] == URI


async def test_a_client_that_cannot_ask_gets_the_instruction_of_a_comment() -> None:
    kind = "refactor.rewrite.infill.instruction"
    async with editor(RECORDED, options={"model": "/some/folder"}, **ABLE) as it:
        it.open("# shorter\na = 1\nb = 2\n")
        assert await actions_at(it, (1, 0), (2, 5), only=[kind]) == []
        (action,) = await actions_at(it, (0, 0), (1, 5), only=[kind])
        assert action.title == "Rewrite as the comment says: shorter"
        asked = {"uri": URI, "range": [[0, 0], [1, 5]]}
        for request in (resolved(it, action), command(it, "infill.rewrite", asked)):
            with pytest.raises(JsonRpcException, match="the model fake follows no instructions"):
                await request
            assert (await last_fill(it))["instruction"] == "shorter"


async def test_a_docstring_that_is_there_is_to_be_confirmed() -> None:
    workspace = lsp.WorkspaceClientCapabilities(
        workspace_edit=lsp.WorkspaceEditClientCapabilities(
            document_changes=True, change_annotation_support=lsp.ChangeAnnotationsSupportOptions()
        )
    )
    kind = "refactor.rewrite.infill.docstring"
    for able, text, confirmed in (
        (workspace, 'def f():\n    """Old."""\n    return 1\n', True),
        (workspace, "def f():\n    return 1\n", False),
        (ABLE["workspace"], 'def f():\n    """Old."""\n    return 1\n', False),
    ):
        async with editor(RECORDED, **(ABLE | {"workspace": able})) as it:
            it.open(text)
            (action,) = await actions_at(it, (0, 4), only=[kind])
            edit = (await resolved(it, action)).edit
            assert edit
            notes = edit.change_annotations or {}
            assert [each.needs_confirmation for each in notes.values()] == [True] * confirmed
            (change,) = edit.document_changes or ()
            assert isinstance(change, lsp.TextDocumentEdit)
            ids = {getattr(each, "annotation_id", None) for each in change.edits}
            assert ids == ({*notes} if confirmed else {None})
