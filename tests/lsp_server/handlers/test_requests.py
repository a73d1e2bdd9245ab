"""What the server answers, over stdio, with a fake worker: `python -m tests.lsp_server.handlers.test_requests` serves with one
that fills in `filled`, or what a line `# fill: ...` above says, or waits for ever below `# wait`, and whose
status tells how often it was asked and, as its message, for what."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from lsp_server.session.session import Session
from model_runtime.protocol import Alternative, Done, Draft, Infill, Refused, Slot, Status, Token
from tests.lsp_server.handlers.test_server import TIMEOUT, Editor, FakeWorker, check_empty, editor

COMMAND = ["-m", "tests.lsp_server.handlers.test_requests"]
URI = "file:///a.py"
ABLE = {
    "window": lsp.WindowClientCapabilities(work_done_progress=True),
    "workspace": lsp.WorkspaceClientCapabilities(
        workspace_edit=lsp.WorkspaceEditClientCapabilities(document_changes=True)
    ),
    "text_document": lsp.TextDocumentClientCapabilities(
        code_action=lsp.CodeActionClientCapabilities(
            resolve_support=lsp.ClientCodeActionResolveOptions(["edit"]), data_support=True
        )
    ),
}


class Recorder(FakeWorker):
    def __init__(self) -> None:
        self.requests: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        if request.instruction:
            return Refused(0, "instruction", "the model fake follows no instructions")
        if on_draft:
            pieces = (Token("a =", "a =", "pinned", 0.0), Token(" fi", "#!", "noise", -1.5))
            on_draft(Draft(0, 1, ("fi",), pieces if request.tokens else ()))
        if request.original:  # proofreading
            return Done(0, (request.original.replace("wrong", "right"),), 0.9, 1, 0, 0, 0)
        above = request.prefix.rpartition("# fill: ")[2] if "# fill: " in request.prefix else "filled\n"
        if "# crash" in request.prefix:
            raise RuntimeError("a bug")
        await asyncio.sleep(3600 if "# wait" in request.prefix else 0)
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)
        texts = [(text,) * slots for text in (above.partition("\n")[0], "filled", "other", "spare")]
        others = tuple(Alternative(each, 0.8) for each in texts[1 : request.candidates])
        return Done(0, texts[0], 0.9, 3, 0, 0, 0, alternatives=others)

    async def status(self) -> Status:
        last = msgspec.json.encode(self.requests[-1]).decode() if self.requests else ""
        return msgspec.structs.replace(await super().status(), served=len(self.requests), message=last)


async def served(it: Editor) -> int:
    return (await it.execute("infill.status"))["served"]


async def last_request(it: Editor) -> Any:
    return json.loads((await it.execute("infill.status"))["message"])


def typed(it: Editor, version: int, line: int, character: int, text: str, deleted: int = 0) -> None:
    start, end = lsp.Position(line, character - deleted), lsp.Position(line, character)
    it.change(version, lsp.TextDocumentContentChangePartial(lsp.Range(start, end), text))


async def texts(answer: Any) -> list[str]:
    found = await asyncio.wait_for(answer, TIMEOUT)
    return [item.insert_text for item in found.items]


def listen(it: Editor, method: str) -> list[Any]:
    """The parameters of such notifications, as they come."""
    heard: list[Any] = []
    it.client.feature(method)(lambda params: heard.append(params))
    return heard


async def eventually(condition: Callable[[], Any]) -> Any:
    for _ in range(100 * TIMEOUT):
        if found := condition():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


async def test_what_is_typed_as_offered_needs_no_worker() -> None:
    async with editor(COMMAND) as it:
        it.open("a = \nb = 1\n")
        assert await texts(it.send(0, 4)) == ["filled"]
        typed(it, 2, 0, 4, "fi")
        assert await texts(it.send(0, 6)) == ["lled"]
        typed(it, 3, 0, 6, "l")
        assert await texts(it.send(0, 7)) == ["led"]
        typed(it, 4, 0, 7, "", deleted=2)  # back into it
        assert await texts(it.send(0, 5)) == ["illed"]
        assert await served(it) == 1
        typed(it, 5, 0, 5, "x")  # another way
        assert await texts(it.send(0, 6)) != []
        assert await served(it) == 2


async def test_an_accepted_suggestion_is_not_offered_again_when_deleted() -> None:
    async with editor(COMMAND) as it:
        it.open("a = ")
        await it.ask(0, 4)
        typed(it, 2, 0, 4, "filled")
        await it.execute("infill.accepted", {"uri": URI, "version": 1, "length": 6})
        typed(it, 3, 0, 10, "", deleted=2)
        await it.ask(0, 8)
        assert await served(it) == 2


async def test_settings_that_change_drop_what_was_offered() -> None:
    async with editor(COMMAND) as it:
        it.open("a = ")
        await it.ask(0, 4)
        it.client.workspace_did_change_configuration(
            lsp.DidChangeConfigurationParams({"infill": {"languages": ["cobol"]}})
        )
        typed(it, 2, 0, 4, "f")
        assert await texts(it.send(0, 5)) == []


async def test_who_asks_gets_alternatives() -> None:
    async with editor(COMMAND) as it:
        it.open("# fill: filled\na = \n")
        invoked = it.send(1, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked)
        assert await texts(invoked) == ["filled", "other"]  # of three, two are the same
        typed(it, 2, 1, 4, "o")
        assert await texts(it.send(1, 5)) == ["ther"]
        assert await served(it) == 1


async def test_the_selected_menu_entry_comes_first() -> None:
    async with editor(COMMAND) as it:
        it.open("# fill: (1)\na = pri\n")
        chosen = lsp.Range(lsp.Position(1, 4), lsp.Position(1, 7))
        context = lsp.InlineCompletionContext(
            lsp.InlineCompletionTriggerKind.Automatic, lsp.SelectedCompletionInfo(chosen, "print")
        )
        params = lsp.InlineCompletionParams(context, lsp.TextDocumentIdentifier(URI), lsp.Position(1, 7))
        answer = await asyncio.wait_for(it.client.text_document_inline_completion_async(params), TIMEOUT)
        (item,) = answer.items
        assert (item.insert_text, item.range) == ("print(1)", chosen)
        typed(it, 2, 1, 7, "n")
        assert await texts(it.send(1, 8)) == ["t(1)"]


async def test_drafts_and_status_for_a_client_that_wants_them() -> None:
    wanted = {"infill": {"drafts": True, "status": True}}
    async with editor(COMMAND, experimental=wanted) as it:
        drafts, states = listen(it, "infill/draft"), listen(it, "infill/status")
        it.open("a = ")
        await asyncio.wait_for(it.send(0, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked), TIMEOUT)
        (draft,) = drafts
        assert (draft.uri, draft.version, draft.step, draft.texts) == (URI, 1, 1, ["fi"])
        assert (draft.position.line, draft.position.character) == (0, 4)
        await eventually(lambda: states and states[-1].state == "idle")
        assert states[-1].latency >= 0
        assert [state.state for state in states].count("busy") == 1
        told = [(each.state, each.message, getattr(each, "latency", None)) for each in states]
        assert all(a != b for a, b in itertools.pairwise(told)), "only changes are told"


async def test_no_drafts_of_what_nobody_asked_for() -> None:
    async with editor(COMMAND, experimental={"infill": {"drafts": True}}) as it:
        drafts = listen(it, "infill/draft")
        it.open("a = ")
        assert await texts(it.send(0, 4))
        assert drafts == []


async def test_the_canvas_for_a_client_that_draws_it() -> None:
    async with editor(COMMAND, experimental={"infill": {"canvas": True}}) as it:
        drafts = listen(it, "infill/draft")
        it.open("a = ")
        await it.ask(0, 4)
        (draft,) = drafts
        told = [(token.text, token.before, token.state, token.logprob) for token in draft.tokens]
        assert told == [("a =", "a =", "pinned", 0.0), (" fi", "#!", "noise", -1.5)]
        assert (await last_request(it))["tokens"] is True


async def test_why_nothing_is_offered_for_a_client_that_asks() -> None:
    async with editor(COMMAND, experimental={"infill": {"refusals": True}}) as it:
        refused = listen(it, "infill/refused")
        it.open("a = 1\n")
        await it.ask(0, 5)
        (told,) = refused
        assert (told.uri, told.position.character, told.reason) == (URI, 5, "finished")
        assert told.message


def steps_params(**changes: Any) -> dict[str, Any]:
    document, position = {"uri": URI}, {"line": 0, "character": 4}
    return {"textDocument": document, "position": position, "context": {"triggerKind": 2}} | changes


async def test_a_client_chooses_how_many_steps_a_fill_takes() -> None:
    async with editor(COMMAND) as it:
        it.open("a = ")
        for sent, steps in ((steps_params(steps=8, context={"triggerKind": 1}), 8), (steps_params(), None)):
            answer = it.client.protocol.send_request_async("infill/inlineCompletion", sent)
            found = await asyncio.wait_for(answer, TIMEOUT)
            assert found.items[0].insertText == "filled"
            if steps:
                assert (await last_request(it))["steps"] == steps
                typed(it, 2, 0, 4, " ")


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"steps": 65},
        {"steps": True},
        {"steps": "8"},
        {"position": {"line": 0}},
        {"position": {"line": "0", "character": 4}},
        {"textDocument": {}},
        {"context": {"triggerKind": 9}},
        {"context": None},
    ],
)
async def test_a_request_for_steps_that_makes_no_sense(changes: dict[str, Any]) -> None:
    async with editor(COMMAND) as it:
        it.open("a = ")
        answer = it.client.protocol.send_request_async("infill/inlineCompletion", steps_params(**changes))
        with pytest.raises(JsonRpcException, match="infill/inlineCompletion takes"):
            await asyncio.wait_for(answer, TIMEOUT)


async def test_an_item_tells_how_sure_it_is() -> None:
    async with editor(COMMAND) as it:
        it.open("a = ")
        (item,) = (await it.ask(0, 4)).items
        (told,) = item.command.arguments
        assert (told["confidence"], told["sources"]) == (0.9, [])


async def test_other_clients_are_told_nothing() -> None:
    methods = ("infill/draft", "infill/status", "infill/refused", "didChangeStatus")
    async with editor(COMMAND) as it:
        heard = [listen(it, method) for method in methods]
        it.open("a = ")
        await it.ask(0, 4)
        await it.execute("infill.status")
        assert heard == [[], [], [], []]


def notebook(*cells: tuple[str, str]) -> lsp.DidOpenNotebookDocumentParams:
    """Cells of (language, text), named cell:0 and so on."""
    kind = {"markdown": lsp.NotebookCellKind.Markup}
    return lsp.DidOpenNotebookDocumentParams(
        lsp.NotebookDocument(
            "file:///n.ipynb",
            "jupyter-notebook",
            1,
            [
                lsp.NotebookCell(kind.get(language, lsp.NotebookCellKind.Code), f"cell:{number}")
                for number, (language, _) in enumerate(cells)
            ],
        ),
        [
            lsp.TextDocumentItem(f"cell:{number}", language, 1, text)
            for number, (language, text) in enumerate(cells)
        ],
    )


async def test_a_notebook() -> None:
    able = lsp.NotebookDocumentClientCapabilities(lsp.NotebookDocumentSyncClientCapabilities())
    async with editor(COMMAND, notebook_document=able) as it:
        it.client.notebook_document_did_open(
            notebook(
                ("python", "import os\n"), ("markdown", "# prose"), ("python", "x = "), ("python", "y = 2")
            )
        )
        answer = await it.ask(0, 4, "cell:2")
        at = lsp.Position(0, 4)
        assert [(item.insert_text, item.range) for item in answer.items] == [("filled", lsp.Range(at, at))]
        seen = await last_request(it)
        assert seen["prefix"] == "import os\n\n"
        assert [piece.get("text") for piece in seen["canvas"]] == ["x = ", None, "\ny = 2"]
        check_empty(await it.ask(1, 0, "cell:2"))  # the next cell's line
        identifier = lsp.VersionedTextDocumentIdentifier(2, "cell:2")
        change = lsp.TextDocumentContentChangePartial(lsp.Range(at, at), "f")
        array = lsp.NotebookCellArrayChange(0, 2, [lsp.NotebookCell(lsp.NotebookCellKind.Code, "cell:9")])
        it.client.notebook_document_did_change(
            lsp.DidChangeNotebookDocumentParams(
                lsp.VersionedNotebookDocumentIdentifier(2, "file:///n.ipynb"),
                lsp.NotebookDocumentChangeEvent(
                    cells=lsp.NotebookDocumentCellChanges(
                        lsp.NotebookDocumentCellChangeStructure(
                            array,
                            [lsp.TextDocumentItem("cell:9", "python", 1, "import re\n")],
                            [lsp.TextDocumentIdentifier("cell:0"), lsp.TextDocumentIdentifier("cell:1")],
                        ),
                        text_content=[lsp.NotebookDocumentCellContentChanges(identifier, [change])],
                    )
                ),
            )
        )
        invoked = it.send(0, 5, "cell:2", trigger=lsp.InlineCompletionTriggerKind.Invoked)
        assert await texts(invoked)
        assert (await last_request(it))["prefix"] == "import re\n\n"
        it.client.notebook_document_did_close(
            lsp.DidCloseNotebookDocumentParams(
                lsp.NotebookDocumentIdentifier("file:///n.ipynb"),
                [lsp.TextDocumentIdentifier(f"cell:{number}") for number in (9, 2, 3)],
            )
        )
        check_empty(await it.ask(0, 5, "cell:2"))


async def test_a_notebook_that_is_ruled_out() -> None:
    able = lsp.NotebookDocumentClientCapabilities(lsp.NotebookDocumentSyncClientCapabilities())
    async with editor(COMMAND, options={"exclude": ["*.ipynb"]}, notebook_document=able) as it:
        it.client.notebook_document_did_open(notebook(("python", "x = ")))
        check_empty(await it.ask(0, 4, "cell:0"))
        with pytest.raises(JsonRpcException, match="exclude"):
            await command(it, "infill.fill", {"uri": "cell:0"})
        assert await served(it) == 0


async def ask_next_edit(it: Editor, version: int | None, line: int = 0, character: int = 0) -> Any:
    document = {"uri": URI, "version": version}
    params = {
        "textDocument": document,
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    }
    answer = it.client.protocol.send_request_async("textDocument/copilotInlineEdit", params)
    return await asyncio.wait_for(answer, TIMEOUT)


async def test_the_next_edit() -> None:
    async with editor(COMMAND) as it:
        told = listen(it, "didChangeStatus")
        for method in ("didFocus", "didShowInlineEdit", "didShowCompletion", "didPartiallyAcceptCompletion"):
            it.client.protocol.notify(f"textDocument/{method}", {"textDocument": {"uri": URI}})
        assert (await ask_next_edit(it, 1)).edits == []  # not open
        it.open("def f(old):\n    s = '😀' + old\n    return old\n\n\nx = \n")
        assert (await ask_next_edit(it, 1)).edits == []
        typed(it, 2, 0, 9, "", deleted=3)
        typed(it, 3, 0, 6, "new")
        assert (await ask_next_edit(it, 2)).edits == []  # a version that is gone
        first, second = (await ask_next_edit(it, 3)).edits
        assert (first.textDocument.uri, first.textDocument.version, first.text) == (URI, 3, "new")
        place = first.range.start, first.range.end
        assert [(each.line, each.character) for each in place] == [(1, 15), (1, 18)]
        assert second.range.start.line == 2
        assert first.command.command == "infill.accepted"
        await it.ask(5, 4)
        assert await served(it) == 1
        assert [status.busy for status in told][-2:] == [True, False]
        assert {status.kind for status in told} == {"Normal"}


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
    async with editor(COMMAND, **ABLE) as it:
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
    async with editor(COMMAND, **ABLE) as it:
        it.open("# fill: a = 5\nb = foo\nc = 1\n")
        (action, *_) = await actions_at(it, (1, 4), only=["quickfix"], diagnostics=[DIAGNOSTIC])
        assert (action.title, action.diagnostics) == ("Fix: undefined", (DIAGNOSTIC,))
        await resolved(it, action)
        assert (await last_request(it))["prefix"] == "# fill: a = 5\n# undefined name\n"


NOTHING: list[tuple[Any, ...]] = [
    ("a = 1\n", (0, 3), None, {}),  # nothing to fill, no function, no diagnostic
    ("a = 1\n\n", (1, 0), (2, 0), {}),  # blank
    ("a = 1\n", (7, 0), None, {}),
    ("def f():\n    pass\n", (1, 6), None, {"only": ["quickfix"]}),
    ("a = " + "1 + " * 200 + "1\n", (0, 0), (0, 800), {}),  # longer than a hole
]


async def test_nothing_to_be_done() -> None:
    async with editor(COMMAND, **ABLE) as it:
        for text, start, end, context in NOTHING:
            it.open(text)
            assert await actions_at(it, start, end, **context) == [], text


async def test_a_fix_must_not_leave_errors() -> None:
    async with editor(COMMAND, **ABLE) as it:
        it.open("# fill: = =\nb = foo\nc = 1\n")
        (action,) = await actions_at(it, (1, 4), only=["quickfix"], diagnostics=[DIAGNOSTIC])
        with pytest.raises(JsonRpcException):
            await resolved(it, action)


async def test_an_edit_of_a_version_that_is_gone_is_not_made() -> None:
    async with editor(COMMAND, **ABLE) as it:
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        waiting = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action)
        await asyncio.sleep(0.2)
        typed(it, 2, 0, 0, "#")
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("def f():\n    pass\n"))
        with pytest.raises(JsonRpcException, match="changed"):
            await resolved(it, action)
        waiting.cancel()


async def test_cancel_while_resolving() -> None:
    async with editor(COMMAND, **ABLE) as it:
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        request = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action, msg_id="mine")
        it.client.cancel_request(lsp.CancelParams(id="mine"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        assert await served(it) <= 1  # and the server goes on


async def test_progress_with_a_button_that_cancels() -> None:
    async with editor(COMMAND, **ABLE) as it:
        steps, created = listen(it, "$/progress"), list[Any]()
        it.client.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda params: created.append(params.token))
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        request = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action)
        await eventually(lambda: any("step 1" in str(step.value) for step in steps))
        it.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams(created[0]))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        await eventually(lambda: "end" in str(steps[-1].value))


async def command(it: Editor, name: str, argument: Any, token: str | None = None) -> Any:
    params = lsp.ExecuteCommandParams(name, [argument], work_done_token=token)
    return await asyncio.wait_for(it.client.workspace_execute_command_async(params), TIMEOUT)


async def test_the_fill_command_applies_its_edit() -> None:
    async with editor(COMMAND, **ABLE) as it:
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
    async with editor(COMMAND, **ABLE) as it:
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
    async with editor(COMMAND, **ABLE) as it:
        it.open("a = 1\n")
        for name, argument, words in IN_VAIN:
            with pytest.raises(JsonRpcException, match=words):
                await command(it, name, argument)


async def test_faults_of_actions_are_told() -> None:
    async with editor(COMMAND, **ABLE) as it:
        it.open("# crash\ndef f():\n    pass\n")
        (action,) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        for request in (resolved(it, action), command(it, "infill.fill", {"uri": URI})):
            with pytest.raises(JsonRpcException, match="unexpected fault"):
                await request
        it.open("a = ")
        assert await texts(it.send(0, 4)) == ["filled"]


async def test_clients_that_resolve_nothing_get_commands() -> None:
    async with editor(COMMAND) as it:
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


async def test_proofreading_marks_words_until_they_are_touched() -> None:
    async with editor(COMMAND, **ABLE) as it:
        published = listen(it, lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        it.open("é = wrong(1)\nb = also_wrong\nc = wrong\n")
        (made,) = await commands_at(it, (0, 0), (1, 14), "refactor.rewrite.infill.proofread")
        assert await command(it, made["command"], made["arguments"][0]) == {"found": 2}
        await eventually(lambda: published)
        first, second = published[-1].diagnostics
        assert (first.source, first.code) == ("infill-ls", "proofread")
        assert spot(first) == (0, 4, 9)
        assert "`wrong` is unlikely here: perhaps `right`?" in first.message
        (action,) = await actions_at(it, (1, 5), only=["quickfix"], diagnostics=[second])
        (change,) = action.edit.document_changes[0].edits
        assert (change.new_text, change.range) == ("also_right", second.range)
        typed(it, 2, 0, 0, "# new line\n\n")  # moves both
        await eventually(
            lambda: [spot(each) for each in published[-1].diagnostics] == [(2, 4, 9), (3, 4, 14)]
        )
        typed(it, 3, 2, 9, "", deleted=1)  # inside the first
        await eventually(lambda: [spot(each) for each in published[-1].diagnostics] == [(3, 4, 14)])


def spot(diagnostic: Any) -> tuple[int, int, int]:
    at = diagnostic.range
    return at.start.line, at.start.character, at.end.character


async def test_an_instruction_is_asked_for_by_the_client() -> None:
    async with editor(COMMAND, options={"model": "/some/folder"}, **ABLE) as it:
        it.open("a = 1\n")
        (made,) = await commands_at(it, (0, 0), (0, 5), "refactor.rewrite.infill.instruction")
        assert made["command"] == "infill.rewrite"
        assert made["arguments"][0]["uri"] == URI


if __name__ == "__main__":
    from lsp_server.handlers import server

    logging.basicConfig(level=logging.INFO)
    worker: Any = Recorder()
    with contextlib.suppress(BrokenPipeError):
        server.build(Session(lambda settings: worker)).start_io()
