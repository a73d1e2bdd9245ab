"""An editor's view of the whole product: real server, real worker, embedded model, over stdio."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import tree_sitter
import tree_sitter_python
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from tests.e2e.conftest import Place

FIRST_ANSWER = 90.0  # seconds: the worker starts, imports torch and loads the model meanwhile
Find = Callable[[], psutil.Process]
RESOLVES = lsp.ClientCapabilities(
    text_document=lsp.TextDocumentClientCapabilities(
        code_action=lsp.CodeActionClientCapabilities(
            resolve_support=lsp.ClientCodeActionResolveOptions(["edit"]), data_support=True
        )
    )
)


class Editor:
    """A language client that speaks as an editor does."""

    def __init__(self, client: LanguageClient, pid: int, initialize_seconds: float, shown: list[str]) -> None:
        self.client = client
        self.shown = shown  # messages to the user
        self.server = psutil.Process(pid)
        self.initialize_seconds = initialize_seconds

    def open(self, place: Place) -> None:
        item = lsp.TextDocumentItem(place.uri, place.language, 1, place.text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def ask(self, place: Place) -> Awaitable[str]:
        """Asks for an inline completion at once; awaiting gives the inserted text, "" for none."""
        answer = self.client.protocol.send_request_async(
            lsp.TEXT_DOCUMENT_INLINE_COMPLETION,
            lsp.InlineCompletionParams(
                context=lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
                text_document=lsp.TextDocumentIdentifier(place.uri),
                position=lsp.Position(place.line, place.column),
            ),
        )
        return asyncio.ensure_future(self._text(place, answer))

    async def ask_until_answered(self, place: Place, seconds: float = FIRST_ANSWER) -> str:
        """As an editor does at every pause: while the model loads, the answer may be empty."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text := await asyncio.wait_for(self.ask(place), timeout=30):
                return text
            await asyncio.sleep(0.3)
        pytest.fail(f"no suggestion within {seconds:.0f} s")

    @staticmethod
    async def _text(place: Place, answer: Awaitable[object]) -> str:
        result = await answer
        items = result.items if isinstance(result, lsp.InlineCompletionList) else result
        if not items:
            return ""
        assert isinstance(items[0], lsp.InlineCompletionItem)
        cursor = lsp.Position(place.line, place.column)
        assert items[0].range in (None, lsp.Range(cursor, cursor))
        assert isinstance(items[0].insert_text, str)
        return items[0].insert_text


@asynccontextmanager
async def running_editor(
    command: list[str],
    settings: dict[str, object],
    capabilities: lsp.ClientCapabilities | None = None,
    folder: Path | None = None,
) -> AsyncIterator[Editor]:
    """`folder` is that of the workspace."""
    client = LanguageClient("test-editor", "1")
    shown: list[str] = []
    client.feature(lsp.WINDOW_LOG_MESSAGE)(lambda params: print(params.message, file=sys.stderr))
    client.feature(lsp.WINDOW_SHOW_MESSAGE)(lambda params: shown.append(params.message))
    started = time.monotonic()
    await client.start_io(*command)
    process = client._server
    assert process is not None
    assert process.stderr is not None
    # Unread, a full pipe would stop the server.
    log = asyncio.create_task(process.stderr.read())
    try:
        await client.initialize_async(
            lsp.InitializeParams(
                process_id=None,
                root_uri=folder.as_uri() if folder else None,
                workspace_folders=[lsp.WorkspaceFolder(folder.as_uri(), folder.name)] if folder else None,
                capabilities=capabilities
                or lsp.ClientCapabilities(
                    text_document=lsp.TextDocumentClientCapabilities(
                        inline_completion=lsp.InlineCompletionClientCapabilities()
                    )
                ),
                initialization_options=settings,
            )
        )
        seconds = time.monotonic() - started
        client.initialized(lsp.InitializedParams())
        yield Editor(client, process.pid, seconds, shown)
        await asyncio.wait_for(client.shutdown_async(None), timeout=10)
        client.exit(None)
        assert await asyncio.wait_for(process.wait(), timeout=10) == 0
    finally:
        if process.returncode is None:
            process.kill()
        print(*shown, (await log).decode("utf-8", "replace"), sep="\n", file=sys.stderr)  # for a failure
        await client.stop()


@pytest.fixture
async def editor(server_command: list[str], settings: dict[str, object]) -> AsyncIterator[Editor]:
    async with running_editor(server_command, settings) as editor:
        yield editor


def syntax_errors(text: str) -> int:
    """ERROR and MISSING nodes in the parse of `text`."""
    language = tree_sitter.Language(tree_sitter_python.language())
    nodes, errors = [tree_sitter.Parser(language).parse(text.encode()).root_node], 0
    while nodes:
        node = nodes.pop()
        errors += node.is_error or node.is_missing
        nodes += node.children
    return errors


async def test_a_suggestion_that_parses_in_place(editor: Editor, place: Place) -> None:
    editor.open(place)
    text = await editor.ask_until_answered(place)
    assert text.strip()
    after = place.text[place.offset :]
    filled = place.text[: place.offset] + text + after
    assert syntax_errors(filled) <= syntax_errors(place.text)
    rest_of_line = after.partition("\n")[0]
    assert not rest_of_line.strip() or not text.endswith(rest_of_line), "repeats what follows the cursor"


async def test_the_same_place_gives_the_same_suggestion(editor: Editor, place: Place) -> None:
    editor.open(place)
    first = await editor.ask_until_answered(place)
    assert await asyncio.wait_for(editor.ask(place), timeout=30) == first


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP to hold a fill in its middle")
async def test_a_worker_killed_in_the_middle_of_a_fill(
    editor: Editor, place: Place, only_worker: Find
) -> None:
    editor.open(place)
    await editor.ask_until_answered(place)
    worker = only_worker()
    worker.suspend()  # so that the request is certainly unanswered when its worker dies
    answer = editor.ask(place)
    await asyncio.sleep(0.3)
    worker.kill()
    assert await asyncio.wait_for(answer, timeout=15) == ""
    assert await editor.ask_until_answered(place), "the worker was not started again"
    assert only_worker().pid != worker.pid


async def test_a_worker_killed_at_any_moment(editor: Editor, place: Place, only_worker: Find) -> None:
    editor.open(place)
    await editor.ask_until_answered(place)
    answer = editor.ask(place)
    await asyncio.sleep(0.1)
    only_worker().kill()
    await asyncio.wait_for(answer, timeout=15)  # whatever it is: it may have been finished just before
    assert await editor.ask_until_answered(place)


async def test_the_server_answers_while_a_fill_runs(editor: Editor, place: Place, only_worker: Find) -> None:
    editor.open(place)
    await editor.ask_until_answered(place)
    worker = only_worker()
    worker.suspend()
    try:
        fill = editor.ask(place)
        elsewhere = replace(place, path=place.path.with_name("never_opened.py"))
        assert await asyncio.wait_for(editor.ask(elsewhere), timeout=2) == ""
        assert not fill.done()
    finally:
        worker.resume()
    assert await asyncio.wait_for(fill, timeout=30)


async def test_initialize_is_fast_and_the_server_holds_no_torch(
    server_command: list[str], settings: dict[str, object], place: Place
) -> None:
    seconds = []
    for _ in range(3):  # the best of three: the machine may be busy with something else
        async with running_editor(server_command, settings) as editor:
            seconds.append(editor.initialize_seconds)
    assert min(seconds) < 3.0, seconds  # half a second on a quiet machine; importing torch takes longer

    async with running_editor(server_command, settings) as editor:
        editor.open(place)
        await editor.ask_until_answered(place)
        if sys.platform == "linux":
            assert not [mapped.path for mapped in editor.server.memory_maps() if "torch" in mapped.path]


async def raw(editor: Editor, method: str, params: object, seconds: float = 60) -> Any:
    return await asyncio.wait_for(editor.client.protocol.send_request_async(method, params), seconds)


async def served(editor: Editor) -> int:
    """Fills that the worker has answered; none while it starts."""
    params = lsp.ExecuteCommandParams("infill.status")
    told = await asyncio.wait_for(editor.client.workspace_execute_command_async(params), 30)
    return told.get("served", 0)


def change(editor: Editor, place: Place, version: int, column: int, text: str) -> None:
    at = lsp.Position(place.line, column)
    editor.client.text_document_did_change(
        lsp.DidChangeTextDocumentParams(
            lsp.VersionedTextDocumentIdentifier(version, place.uri),
            [lsp.TextDocumentContentChangePartial(lsp.Range(at, at), text)],
        )
    )


async def test_typing_what_is_offered_does_not_ask_the_worker(editor: Editor, place: Place) -> None:
    editor.open(place)
    offered = await editor.ask_until_answered(place)
    before = await served(editor)
    for count in range(1, len(offered)):
        change(editor, place, 1 + count, place.column + count - 1, offered[count - 1])
        rest = await asyncio.wait_for(editor.ask(replace(place, column=place.column + count)), 30)
        assert rest == offered[count:]
    assert await served(editor) == before


async def test_alternatives_for_who_asks(editor: Editor, place: Place) -> None:
    editor.open(place)
    await editor.ask_until_answered(place)
    context = lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Invoked)
    params = lsp.InlineCompletionParams(
        context, lsp.TextDocumentIdentifier(place.uri), lsp.Position(place.line, place.column)
    )
    answer = await raw(editor, lsp.TEXT_DOCUMENT_INLINE_COMPLETION, params)
    texts = [item.insert_text for item in answer.items]
    assert 1 <= len(texts) == len(set(texts)) <= 3
    before, after = place.text[: place.offset], place.text[place.offset :]
    for text in texts:
        assert syntax_errors(before + text + after) <= syntax_errors(place.text)


BODY = "def area(width, height):\n    pass\n\n\ndef double(value):\n    return value * 2\n"


async def body_action(editor: Editor, place: Place) -> Any:
    """The action that fills the body in BODY, not yet resolved."""
    editor.open(replace(place, text=BODY))
    at = lsp.Position(1, 6)
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(place.uri),
        lsp.Range(at, at),
        lsp.CodeActionContext([], ["refactor.rewrite.infill.fill"]),
    )
    (action,) = await raw(editor, lsp.TEXT_DOCUMENT_CODE_ACTION, params)
    return action


async def test_an_action_fills_a_body(
    server_command: list[str], settings: dict[str, object], place: Place
) -> None:
    async with running_editor(server_command, settings, RESOLVES) as editor:
        action = await body_action(editor, place)
        resolved = await raw(editor, lsp.CODE_ACTION_RESOLVE, action, FIRST_ANSWER)
        ((_, edits),) = resolved.edit.changes.items()
        lines = BODY.split("\n")
        for edit in edits:
            assert edit.range.start.line == edit.range.end.line == 1, "outside the body"
            line = lines[1]
            lines[1] = line[: edit.range.start.character] + edit.new_text + line[edit.range.end.character :]
        assert lines != BODY.split("\n")
        assert syntax_errors("\n".join(lines)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP to hold a fill in its middle")
async def test_cancelling_an_action_in_its_middle(
    server_command: list[str], settings: dict[str, object], place: Place, only_worker: Find
) -> None:
    async with running_editor(server_command, settings, RESOLVES) as editor:
        editor.open(place)
        await editor.ask_until_answered(place)
        action = await body_action(editor, place)
        worker = only_worker()
        worker.suspend()
        try:
            answer = editor.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action, msg_id="mine")
            await asyncio.sleep(0.3)
            editor.client.cancel_request(lsp.CancelParams(id="mine"))
            with pytest.raises(JsonRpcException, match="cancel"):
                await asyncio.wait_for(answer, 10)
        finally:
            worker.resume()
        editor.open(place)
        assert await editor.ask_until_answered(place), "the worker goes on"


async def test_a_cell_sees_the_cells_before_it(
    server_command: list[str], settings: dict[str, object], place: Place
) -> None:
    """The example, cut in two: its second half as a cell is completed like the whole."""
    able = lsp.ClientCapabilities(
        notebook_document=lsp.NotebookDocumentClientCapabilities(lsp.NotebookDocumentSyncClientCapabilities())
    )
    lines = place.text.splitlines(keepends=True)
    cut = place.line - 2
    cells = ["".join(lines[:cut]).removesuffix("\n"), "".join(lines[cut:])]
    async with running_editor(server_command, settings, able) as editor:
        editor.open(place)
        whole = await editor.ask_until_answered(place)
        kind = lsp.NotebookCellKind.Code
        editor.client.notebook_document_did_open(
            lsp.DidOpenNotebookDocumentParams(
                lsp.NotebookDocument(
                    "file:///n.ipynb",
                    "jupyter-notebook",
                    1,
                    [lsp.NotebookCell(kind, f"cell:{n}") for n in (0, 1)],
                ),
                [lsp.TextDocumentItem(f"cell:{n}", "python", 1, text) for n, text in enumerate(cells)],
            )
        )
        params = lsp.InlineCompletionParams(
            lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
            lsp.TextDocumentIdentifier("cell:1"),
            lsp.Position(2, place.column),
        )
        answer = await raw(editor, lsp.TEXT_DOCUMENT_INLINE_COMPLETION, params)
        (item,) = answer.items
        assert item.insert_text == whole
        assert item.range.start == lsp.Position(2, place.column)


async def test_the_next_edit_after_a_rename(editor: Editor, place: Place) -> None:
    editor.open(replace(place, text=BODY))
    for version, (start, end, text) in enumerate([(11, 16, ""), (11, 11, "n"), (12, 12, "um")], start=2):
        at = lsp.Range(lsp.Position(4, start), lsp.Position(4, end))
        editor.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(version, place.uri),
                [lsp.TextDocumentContentChangePartial(at, text)],
            )
        )
    document = {"uri": place.uri, "version": 4}
    params = {"textDocument": document, "position": {"line": 4, "character": 14}}
    (edit,) = (await raw(editor, "textDocument/copilotInlineEdit", params)).edits
    assert (edit.text, edit.textDocument.version) == ("num", 4)
    assert (edit.range.start.line, edit.range.start.character, edit.range.end.character) == (5, 11, 16)


async def test_a_draft_is_composed_from_a_file_of_another_folder(
    server_command: list[str], settings: dict[str, object], tmp_path: Path
) -> None:
    """Neither the document nor its folder holds what is suggested; a restarted worker is told again."""
    far = tmp_path / "far" / "billing.py"
    far.parent.mkdir()
    far.write_text(
        "def settle(invoice):\n    outstanding = ledger.reconcile_all(invoice)\n    return outstanding\n" * 3
    )
    path = tmp_path / "near" / "main.py"
    path.parent.mkdir()
    text = "import os\n\n\ndef run(invoice):\n    outstanding = ledger.\n"
    path.write_text(text)
    place = Place(path, text, 4, len("    outstanding = ledger."))
    async with running_editor(server_command, settings, folder=tmp_path) as editor:
        editor.open(place)
        for _ in range(2):
            until = time.monotonic() + FIRST_ANSWER
            while "reconcile_all(invoice)" not in (found := await editor.ask_until_answered(place)):
                assert time.monotonic() < until, found
                await asyncio.sleep(0.3)
            await editor.client.workspace_execute_command_async(
                lsp.ExecuteCommandParams("infill.restartWorker")
            )


async def test_a_language_that_the_model_does_not_know_is_completed_from_its_project(
    server_command: list[str], settings: dict[str, object], tmp_path: Path
) -> None:
    far = tmp_path / "far" / "billing.ts"
    far.parent.mkdir()
    far.write_text("function settle(invoice) {\n  const open = ledger.reconcileAll(invoice);\n}\n" * 3)
    path = tmp_path / "near" / "main.ts"
    path.parent.mkdir()
    text = "function run(invoice) {\n  const open = ledger.\n}\n"
    path.write_text(text)
    place = Place(path, text, 1, len("  const open = ledger."), language="typescript")
    async with running_editor(server_command, settings, folder=tmp_path) as editor:
        editor.open(place)
        until = time.monotonic() + FIRST_ANSWER
        while "reconcileAll(invoice);" not in (found := await editor.ask_until_answered(place)):
            assert time.monotonic() < until, found
            await asyncio.sleep(0.3)
