"""Commands, and edits of chosen actions: made, cancelled, declined."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.code_actions import ABLE, actions_at, applied, command, resolved
from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    URI,
    editor,
    eventually,
    listen,
    served,
    texts,
    type_text,
)


async def test_commands() -> None:
    async with editor(FAKED) as it:
        assert await it.execute("infill.accepted", {"uri": "file:///a.py", "version": 1, "length": 6}) is None
        assert (await it.execute("infill.status"))["state"] == "ready"
        assert await it.execute("infill.restartWorker") is None


async def test_the_fill_command_applies_its_edit() -> None:
    async with editor(RECORDED, **ABLE) as it:
        edits: list[lsp.ApplyWorkspaceEditParams] = []

        def apply(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            edits.append(params)
            return lsp.ApplyWorkspaceEditResult(applied=True)

        it.client.feature(lsp.WORKSPACE_APPLY_EDIT)(apply)
        steps = listen(it, "$/progress")
        text = "def f():\n    pass\n\n\ndef g():\n    pass\n"
        it.open(text)
        await command(it, "infill.fill", {"uri": URI}, token="ours")
        await eventually(lambda: edits)
        assert applied(text, edits[0].edit) == text.replace("pass", "filled")
        assert steps[0].token == "ours"
        at = {"line": 5, "character": 4}
        await command(it, "infill.fill", {"uri": URI, "range": {"start": at, "end": at}})
        await eventually(lambda: len(edits) == 2)
        assert applied(text, edits[1].edit) == "filled".join(text.rsplit("pass", 1))


async def test_an_edit_to_look_at_first_is_the_answer() -> None:
    async with editor(RECORDED, **ABLE) as it:
        edits: list[Any] = []
        it.client.feature(lsp.WORKSPACE_APPLY_EDIT)(
            lambda params: edits.append(params) or lsp.ApplyWorkspaceEditResult(applied=True)
        )
        text = "def f():\n    pass\n"
        it.open(text)
        for more in ({}, {"range": [[1, 4], [1, 4]], "kind": "refactor.rewrite.infill.fill"}):
            answer = await command(it, "infill.fill", {"uri": URI, "apply": False, **more})
            edit = it.client.protocol._converter.structure(answer, lsp.WorkspaceEdit)
            assert applied(text, edit) == text.replace("pass", "filled")
        asked = {"uri": URI, "range": [[0, 0], [1, 8]], "instruction": "shorter", "apply": False}
        with pytest.raises(JsonRpcException, match="follows no"):
            await command(it, "infill.rewrite", asked)
        assert await it.execute("infill.status")  # by now an edit to be made would have come
        assert edits == []


IN_VAIN: list[tuple[Any, ...]] = [
    ("infill.fill", None, "uri"),
    ("infill.fill", {"uri": "file:///gone.py"}, "not open"),
    ("infill.fill", {"uri": URI, "range": "here"}, "range"),
    ("infill.fill", {"uri": URI, "kind": "magic"}, "magic"),
    ("infill.rewrite", {"uri": URI}, "select"),
    ("infill.proofread", {"uri": URI}, "range"),
    ("infill.proofread", {"uri": URI, "range": [[0, 1], [0, 2]]}, "select"),
    ("infill.rewrite", {"uri": URI, "range": [[0, 0], [0, 5]]}, "instruction"),
    ("infill.rewrite", {"uri": URI, "range": [[0, 0], [0, 5]], "instruction": "shorter"}, "follows no"),
    ("infill.nonsense", {}, "no command"),
]


async def test_commands_that_cannot_be_done_say_why() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("a = 1\n")
        for name, argument, words in IN_VAIN:
            with pytest.raises(JsonRpcException, match=words):
                await command(it, name, argument)


DIAGNOSTIC = lsp.Diagnostic(lsp.Range(lsp.Position(1, 4), lsp.Position(1, 7)), "undefined\nname")


async def test_a_fix_must_not_leave_errors() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("# fill: = =\nb = foo\nc = 1\n")
        (action,) = await actions_at(it, (1, 4), only=["quickfix"], diagnostics=[DIAGNOSTIC])
        with pytest.raises(JsonRpcException):
            await resolved(it, action)


async def test_an_edit_of_a_version_that_is_gone_is_not_made() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        waiting = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action)
        await asyncio.sleep(0.2)
        type_text(it, 2, 0, 0, "#")
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("def f():\n    pass\n"))
        with pytest.raises(JsonRpcException, match="changed"):
            await resolved(it, action)
        waiting.cancel()


async def test_cancel_while_resolving() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        request = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action, msg_id="mine")
        it.client.cancel_request(lsp.CancelParams(id="mine"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        assert await served(it) <= 1  # and the server goes on


async def test_faults_of_actions_are_told() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open("# crash\ndef f():\n    pass\n")
        (action,) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        for request in (resolved(it, action), command(it, "infill.fill", {"uri": URI})):
            with pytest.raises(JsonRpcException, match="unexpected fault"):
                await request
        it.open("a = ")
        assert await texts(it.send(0, 4)) == ["filled"]
