"""An editor for tests: starts a server, opens documents, sends requests, and keeps what it is told."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from tests.support.paths import ROOT

REAL = ["-m", "lsp_server", "serve"]


FAKED = ["-m", "tests.support.faked_server"]


RECORDED = [*FAKED, "recorder"]


TIMEOUT = 10  # seconds for any one answer


URI = "file:///a.py"


class Editor:
    """A client with the documents' versions and the messages that the server sends."""

    def __init__(self) -> None:
        self.client = LanguageClient("test-editor", "1")
        self.shown: list[str] = []
        self.log: list[lsp.LogMessageParams] = []
        self.configuration: Any = None
        self.of_folders: dict[str, Any] = {}  # configuration by scope, where it is another
        self.asked = asyncio.Event()  # for the configuration
        self.client.feature(lsp.WINDOW_SHOW_MESSAGE)(lambda params: self.shown.append(params.message))
        self.client.feature(lsp.WINDOW_LOG_MESSAGE)(lambda params: self.log.append(params))
        self.client.feature(lsp.WORKSPACE_CONFIGURATION)(lambda params: self._configure(params))

    @property
    def logged(self) -> list[str]:
        return [each.message for each in self.log]

    def _configure(self, params: lsp.ConfigurationParams) -> list[Any]:
        self.asked.set()
        return [self.of_folders.get(item.scope_uri or "", self.configuration) for item in params.items]

    def open(self, text: str, language: str = "python", uri: str = "file:///a.py") -> None:
        item = lsp.TextDocumentItem(uri, language, 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, version: int, *changes: lsp.TextDocumentContentChangeEvent) -> None:
        document = lsp.VersionedTextDocumentIdentifier(version, "file:///a.py")
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, list(changes)))

    def send(
        self,
        line: int,
        character: int,
        uri: str = "file:///a.py",
        id: str | None = None,
        trigger: lsp.InlineCompletionTriggerKind = lsp.InlineCompletionTriggerKind.Automatic,
    ) -> Any:
        params = lsp.InlineCompletionParams(
            lsp.InlineCompletionContext(trigger),
            lsp.TextDocumentIdentifier(uri),
            lsp.Position(line, character),
        )
        return self.client.protocol.send_request_async(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=id)

    async def ask(self, line: int, character: int, uri: str = "file:///a.py") -> Any:
        return await asyncio.wait_for(self.send(line, character, uri), TIMEOUT)

    async def execute(self, command: str, *arguments: Any) -> Any:
        params = lsp.ExecuteCommandParams(command, list(arguments))
        return await asyncio.wait_for(self.client.workspace_execute_command_async(params), TIMEOUT)


@asynccontextmanager
async def editor(
    command: list[str],
    encodings: list[str] | None = None,
    options: Any = None,
    configuration: Any = None,
    folder: Path | None = None,
    **capabilities: Any,
) -> AsyncIterator[Editor]:
    it = Editor()
    it.configuration = configuration
    await it.client.start_io(sys.executable, *command, cwd=ROOT)
    server = it.client._server
    assert server
    assert server.stderr
    log = asyncio.create_task(server.stderr.read())
    try:
        able = lsp.ClientCapabilities(
            general=lsp.GeneralClientCapabilities(
                position_encodings=[
                    lsp.PositionEncodingKind(encoding) for encoding in encodings or ["utf-16"]
                ]
            ),
            **{
                "workspace": lsp.WorkspaceClientCapabilities(configuration=configuration is not None),
                **capabilities,
            },
        )
        folders = [lsp.WorkspaceFolder(folder.as_uri(), folder.name)] if folder else None
        params = lsp.InitializeParams(able, initialization_options=options, workspace_folders=folders)
        result = await asyncio.wait_for(it.client.initialize_async(params), TIMEOUT)
        assert result.capabilities.inline_completion_provider is not None
        assert result.capabilities.position_encoding == (encodings or ["utf-16"])[0]
        it.client.initialized(lsp.InitializedParams())
        yield it
        await asyncio.wait_for(it.client.shutdown_async(None), TIMEOUT)
        it.client.exit(None)
        assert await asyncio.wait_for(server.wait(), TIMEOUT) == 0
    finally:
        if server.returncode is None:
            server.kill()
        print((await log).decode(), file=sys.stderr)
        await it.client.stop()


def check_empty(answer: Any) -> None:
    assert isinstance(answer, lsp.InlineCompletionList)
    assert not answer.items


def check_offered(answer: Any, line: int, character: int) -> None:
    """`filled`, to be inserted exactly there."""
    assert isinstance(answer, lsp.InlineCompletionList)
    (item,) = answer.items
    at = lsp.Position(line, character)
    assert (item.insert_text, item.range) == ("filled", lsp.Range(at, at))
    assert item.command
    assert item.command.command == "infill.accepted"


async def served(it: Editor) -> int:
    return (await it.execute("infill.status"))["served"]


async def last_fill(it: Editor) -> Any:
    return json.loads((await it.execute("infill.status"))["message"])


def type_text(it: Editor, version: int, line: int, character: int, text: str, deleted: int = 0) -> None:
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
