"""An editor's view of the whole product: real server, real worker, embedded model, over stdio."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest
import tree_sitter
import tree_sitter_python
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from .conftest import Place

FIRST_ANSWER = 90.0  # seconds: the worker starts, imports torch and loads the model meanwhile
Find = Callable[[], psutil.Process]


class Editor:
    """A language client that speaks as an editor does, and remembers how the server took it."""

    def __init__(self, client: LanguageClient, pid: int, initialize_seconds: float) -> None:
        self.client = client
        self.server = psutil.Process(pid)
        self.initialize_seconds = initialize_seconds

    def open(self, place: Place) -> None:
        item = lsp.TextDocumentItem(place.uri, "python", 1, place.text)
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
async def running_editor(command: list[str], settings: dict[str, object]) -> AsyncIterator[Editor]:
    client = LanguageClient("test-editor", "1")
    for method in (lsp.WINDOW_LOG_MESSAGE, lsp.WINDOW_SHOW_MESSAGE):
        client.feature(method)(lambda params: print(params.message, file=sys.stderr))
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
                root_uri=None,
                capabilities=lsp.ClientCapabilities(
                    text_document=lsp.TextDocumentClientCapabilities(
                        inline_completion=lsp.InlineCompletionClientCapabilities()
                    )
                ),
                initialization_options=settings,
            )
        )
        seconds = time.monotonic() - started
        client.initialized(lsp.InitializedParams())
        yield Editor(client, process.pid, seconds)
        await asyncio.wait_for(client.shutdown_async(None), timeout=10)
        client.exit(None)
        assert await asyncio.wait_for(process.wait(), timeout=10) == 0
    finally:
        if process.returncode is None:
            process.kill()
        print((await log).decode("utf-8", "replace"), file=sys.stderr)  # pytest shows it on failure
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
    assert min(seconds) < 1.0, seconds

    async with running_editor(server_command, settings) as editor:
        editor.open(place)
        await editor.ask_until_answered(place)
        if sys.platform == "linux":
            assert not [mapped.path for mapped in editor.server.memory_maps() if "torch" in mapped.path]
