"""Commands, and edits of chosen actions: made, cancelled, declined."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.code_actions import ABLE, actions_at, applied, command, commands_at, resolved
from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    URI,
    editor,
    eventually,
    last_fill,
    listen,
    served,
    texts,
    type_text,
)
from tests.support.listings import listing


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
        assert [each.label for each in edits] == ["infill: fill all holes", "infill: fill hole"]
        assert steps[0].value["title"] == "infill: Fill all holes"


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
    ("infill.proofread", {"uri": URI, "range": [[0, 1], [0, 2]]}, "no word"),
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


async def test_a_fix_by_a_model_that_rewrites_regions() -> None:
    """It is told the problem, and the edits that the region's lane would be told."""
    options = {"model": "/some/folder", "nextEdit.format": "instruct"}
    async with editor(RECORDED, options=options, **ABLE) as it:
        it.open("a = 1\nb = fo\nc = 1\n")
        type_text(it, 2, 1, 6, "o")
        (action,) = await actions_at(it, (1, 4), only=["quickfix"], diagnostics=[DIAGNOSTIC])
        with pytest.raises(JsonRpcException, match="the model fake follows no instructions"):
            await resolved(it, action)
        asked = await last_fill(it)
        assert asked["original"] == "a = 1\nb = foo\nc = 1"
        assert asked["document"].startswith(f"{URI}#next-edit#action-")
        assert asked["instruction"].startswith(
            "The user has just made these edits:\na.py:2\n- b = fo\n+ b = foo\n"
            "There is a problem in the line `b = foo`: undefined\nname\n"
        )


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


async def test_a_client_that_makes_no_edits_is_told_before_any_work() -> None:
    async with editor(RECORDED) as it:
        it.open("def f():\n    pass\n")
        for name in ("infill.fill", "infill.rewrite"):
            with pytest.raises(JsonRpcException, match="makes no edits"):
                await command(it, name, {"uri": URI, "range": [[0, 0], [1, 8]], "instruction": "x"})
        assert await served(it) == 0
        assert (await command(it, "infill.fill", {"uri": URI, "apply": False}))["changes"]
        assert await actions_at(it, (1, 4)) == []


async def test_an_edit_that_begins_in_the_cell_above() -> None:
    able = {
        **ABLE,
        "notebook_document": lsp.NotebookDocumentClientCapabilities(
            lsp.NotebookDocumentSyncClientCapabilities()
        ),
    }
    async with editor(RECORDED, **able) as it:
        cells = ['def f():\n    """Old."""', "    return 1"]  # its docstring is up there
        kind = lsp.NotebookCellKind.Code
        it.client.notebook_document_did_open(
            lsp.DidOpenNotebookDocumentParams(
                lsp.NotebookDocument(
                    "file:///n.ipynb", "jupyter", 1, [lsp.NotebookCell(kind, f"cell:{n}") for n in (0, 1)]
                ),
                [lsp.TextDocumentItem(f"cell:{n}", "python", 1, text) for n, text in enumerate(cells)],
            )
        )
        asked = {"uri": "cell:1", "range": [[0, 6], [0, 6]], "kind": "refactor.rewrite.infill.docstring"}
        with pytest.raises(JsonRpcException, match="beyond the cell"):
            await command(it, "infill.fill", asked)


LONG = "".join(f"line_{n} = {n}\n" for n in range(4_000))  # several times what a snapshot holds


async def test_ranges_of_any_length() -> None:
    text = LONG + "def f():\n    pass\n"
    end = [text.count("\n"), 0]
    able = {**ABLE, "experimental": {"infill": {"instructions": True}}}
    async with editor(RECORDED, options={"model": "/some/folder"}, **able) as it:
        it.open(text)
        (action,) = await actions_at(it, (0, 0), (end[0], 0), only=["source.fillAll.infill"])
        assert applied(text, (await resolved(it, action)).edit) == text.replace("pass", "filled")
        kinds = [str(each) for each in await commands_at(it, (0, 0), (end[0], 0), "refactor.rewrite")]
        assert len(kinds) == 2, "an instruction, and proofreading"
        with pytest.raises(JsonRpcException, match="follows no"):
            await command(
                it, "infill.rewrite", {"uri": URI, "range": [[0, 0], end], "instruction": "shorter"}
            )
        asked = {"uri": URI, "range": [[0, 0], end], "kind": "refactor.rewrite.infill.fill"}
        with pytest.raises(JsonRpcException, match="select less"):
            await command(it, "infill.fill", asked)


async def test_a_file_is_proofread_in_pieces_until_it_is_cancelled() -> None:
    async with editor(RECORDED, **ABLE) as it:
        published = listen(it, lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        steps = listen(it, "$/progress")
        text = "wrong = 1\n" * 200
        it.open(text)
        assert await command(it, "infill.proofread", {"uri": URI}, token="all") == {
            "found": 200,
            "replaceable": 200,
        }
        counts = [len(each.diagnostics) for each in published]
        assert counts == sorted(counts)
        assert len(set(counts)) > 5, "they come piece by piece"
        assert [step.value["percentage"] for step in steps if step.value["kind"] == "report"][-1] == 100
        it.open(text + "# wait\n" + text, uri="file:///b.py")
        params = lsp.ExecuteCommandParams("infill.proofread", [{"uri": "file:///b.py"}], work_done_token="b")
        request = it.client.protocol.send_request_async(lsp.WORKSPACE_EXECUTE_COMMAND, params)
        await eventually(lambda: any(each.uri == "file:///b.py" and each.diagnostics for each in published))
        it.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams("b"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        assert [each for each in published if each.uri == "file:///b.py"][-1].diagnostics, "marks stay"


async def test_the_server_answers_while_a_large_file_is_searched_for_holes() -> None:
    async with editor(RECORDED, **ABLE) as it:
        it.open(listing(900_000), uri="file:///large.py")
        it.open("a = ")
        params = lsp.CodeActionParams(
            lsp.TextDocumentIdentifier("file:///large.py"),
            lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0)),
            lsp.CodeActionContext([], ["source.fillAll.infill"]),
        )
        search = asyncio.ensure_future(it.client.text_document_code_action_async(params))
        assert await texts(it.send(0, 4)) == ["filled"]
        assert not search.done()
        await asyncio.wait_for(search, 60)
