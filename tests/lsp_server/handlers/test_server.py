"""The real server process over stdio. Its worker is a fake where the worker does not matter: started as
`python -m tests.lsp_server.handlers.test_server`, this module serves with one that fills in `filled`, or waits for ever
below a line `# wait`, or raises below a line `# crash`. What it is asked it also writes to the file that
`TEST_WIRE` names."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from lsp_server.session.session import Session
from model_runtime.protocol import Done, Draft, Infill, Refused, Status
from tests.support.paths import ROOT

REAL = ["-m", "lsp_server", "serve"]
FAKED = ["-m", "tests.lsp_server.handlers.test_server"]
TIMEOUT = 10  # seconds for any one answer


class FakeWorker:
    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        if wire := os.environ.get("TEST_WIRE"):
            with open(wire, "ab") as file:  # noqa: ASYNC230
                file.write(msgspec.json.encode(request) + b"\n")
        if "# crash" in request.prefix:
            raise RuntimeError(f"a bug in {request.prefix!r}")
        if "# lost" in request.prefix:
            return Refused(0, "worker-lost", "the worker is gone")
        if "# failed" in request.prefix:
            return Refused(0, "failed", "no model at /m: copy it again")
        await asyncio.sleep(3600 if "# wait" in request.prefix else 0)
        return Done(0, ("filled",), 0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        logging.getLogger("lsp_server.fake").warning("prepared")

    async def status(self) -> Status:
        return Status(
            id=0,
            pid=1,
            state="ready",
            model="fake",
            device="cpu",
            message="",
            progress=1.0,
            memory_bytes=0,
            clients=1,
            queued=0,
            served=0,
            p50_ms=None,
            p90_ms=None,
        )

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        logging.getLogger("lsp_server.fake").warning("feedback %d %d", shown, accepted)

    async def stop(self) -> bool:
        return True

    async def close(self) -> None:
        pass


class Editor:
    """A client with the documents' versions and the messages that the server sends."""

    def __init__(self) -> None:
        self.client = LanguageClient("test-editor", "1")
        self.shown: list[str] = []
        self.logged: list[str] = []
        self.configuration: Any = None
        self.asked = asyncio.Event()  # for the configuration
        self.client.feature(lsp.WINDOW_SHOW_MESSAGE)(lambda params: self.shown.append(params.message))
        self.client.feature(lsp.WINDOW_LOG_MESSAGE)(lambda params: self.logged.append(params.message))
        self.client.feature(lsp.WORKSPACE_CONFIGURATION)(lambda params: self._configure(params))

    def _configure(self, params: lsp.ConfigurationParams) -> list[Any]:
        self.asked.set()
        return [self.configuration for _ in params.items]

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


async def test_the_real_server_takes_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))  # no worker of another test
    started = time.perf_counter()
    async with editor(REAL) as it:
        print(f"initialized after {time.perf_counter() - started:.2f} s")
        check_empty(await it.ask(0, 0))  # never opened
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a"))  # nor this
        it.open("some words\n", language="plaintext", uri="file:///notes")
        check_empty(await it.ask(0, 3, "file:///notes"))
        it.open("x = ", language="klingon", uri="not a uri")
        check_empty(await it.ask(0, 3, "not a uri"))
        with pytest.raises(JsonRpcException):
            await it.execute("infill.nonsense")
        status = await it.execute("infill.status")
        assert status["reason"] == "worker-lost"


@pytest.mark.parametrize(
    ("text", "line", "character", "utf_16"),
    [
        ("", 0, 0, 0),
        ("a = ", 0, 4, 4),
        ("a = 1\r\nb = \r\nc = 3\r\n", 1, 4, 4),
        ("s = '😀注' + \n", 0, 12, 12),
        ("a\x0cb\n\nc = \n", 2, 4, 4),  # a form feed ends no line
        ("a = \n", 0, 77, 4),  # past the line's end
        ("s = '\ud83d' + \n", 0, 10, 10),
    ],
)
async def test_offered_at_the_cursor(text: str, line: int, character: int, utf_16: int) -> None:
    async with editor(FAKED) as it:
        it.open(text)
        check_offered(await it.ask(line, character), line, utf_16)


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 16), ("utf-16", 12), ("utf-32", 11)])
async def test_position_encodings(encoding: str, character: int) -> None:
    async with editor(FAKED, encodings=[encoding, "utf-16"]) as it:
        it.open("s = '😀注' + \n")
        check_offered(await it.ask(0, character), 0, character)


async def test_changes_keep_step_with_the_client() -> None:
    async with editor(FAKED) as it:
        it.open("x = '😀'\r\ny = 1\r\n")
        after_emoji, end = lsp.Position(0, 8), lsp.Position(1, 5)
        it.change(
            2,
            lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(1, 4), end), ""),
            lsp.TextDocumentContentChangePartial(lsp.Range(after_emoji, after_emoji), " + (\x0c"),
        )
        check_offered(await it.ask(0, 13), 0, 13)
        check_offered(await it.ask(1, 4), 1, 4)
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("z = \n"))
        check_offered(await it.ask(0, 4), 0, 4)
        check_empty(await it.ask(5, 0))  # a line that is gone


async def test_one_current_request_per_document() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \nb = \n")
        it.open("c = ", uri="file:///c.py")
        first, second = it.send(1, 4), it.send(2, 4)
        assert await asyncio.wait_for(first, TIMEOUT) is None  # superseded
        check_offered(await it.ask(0, 4, "file:///c.py"), 0, 4)  # other documents go on
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        assert await asyncio.wait_for(second, TIMEOUT) is None  # the document has moved on
        check_offered(await it.ask(0, 4), 0, 4)


async def test_cancelled_by_the_client() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \n")
        request = it.send(1, 4, id="mine")
        it.client.cancel_request(lsp.CancelParams(id="mine"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        check_offered(await it.ask(0, 4), 0, 4)


async def test_closing_a_document_answers_its_request() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \n")
        request = it.send(1, 4)
        it.client.text_document_did_close(
            lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier("file:///a.py"))
        )
        assert await asyncio.wait_for(request, TIMEOUT) is None


async def test_faults_end_at_the_request() -> None:
    async with editor(FAKED) as it:
        it.open("# crash\na = \n")
        assert await it.ask(1, 4) is None
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("# lost\na = \n"))
        check_empty(await it.ask(1, 4))
        assert it.logged == ["infill-ls: the worker is gone"]
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        check_offered(await it.ask(0, 4), 0, 4)
        assert it.shown == []


async def test_what_a_user_can_act_on_is_shown_once() -> None:
    async with editor(FAKED) as it:
        it.open("# failed\na = \n")
        for _ in range(3):
            check_empty(await it.ask(1, 4))
        assert it.shown == ["infill-ls: no model at /m: copy it again"]


async def test_a_workspace_cannot_choose_its_model() -> None:
    async with editor(FAKED, options={"model": "./model"}) as it:
        it.open("a = ")
        check_offered(await it.ask(0, 4), 0, 4)
        (message,) = it.shown
        assert message.startswith("infill.model: './model' is inside the workspace")
    async with editor(FAKED, options={"model": "./model", "trusted": True}) as it:
        it.open("a = ")
        await it.ask(0, 4)
        assert it.shown == []


async def test_settings_from_the_client() -> None:
    options = {"languages": ["cobol"], "deadlineMs": "soon", "confidenceThreshold": 0.9}
    async with editor(FAKED, options=options, configuration={"confidenceThreshold": 0.1}) as it:
        await asyncio.wait_for(it.asked.wait(), TIMEOUT)
        it.open("a = ")
        check_empty(await it.ask(0, 4))  # python is not enabled
        it.open("a = ", language="cobol", uri="file:///c")
        check_offered(await it.ask(0, 4, "file:///c"), 0, 4)  # the client's answer outweighs the options
        (message,) = it.shown  # told once, though the settings were resolved twice
        assert message.startswith("infill.deadlineMs: 'soon' is not")


async def test_other_files_reach_the_worker_without_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, folder, secret = tmp_path / "wire", tmp_path / "work", "correct-horse-battery-9"
    monkeypatch.setenv("TEST_WIRE", str(wire))
    for name, text in {
        "seen.py": f'password = "{secret}"\nstore_all(seen, where)\n',
        "signature.py": f'def store_all(value, password="{secret}"): ...\n',
        "docstring.py": f'def store_all(value):\n    """password: {secret}"""\n',
        ".env": secret,
        ".gitignore": "ignored.py\n",
        "ignored.py": f"store_all(ignored_{secret}, 1)\n",
    }.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    async with editor(FAKED, folder=folder) as it:
        it.open(f"store_all(opened, 1)\nsecret = '{secret}'\n", uri=(folder / "open.py").as_uri())
        main = (folder / "main.py").as_uri()
        it.open("store_all(", uri=main)
        deadline = time.monotonic() + 80  # a busy machine reads files when it has nothing better to do
        while not (
            wire.exists() and {b"seen", b"opened"} <= set(re.findall(rb"seen|opened", wire.read_bytes()))
        ):
            assert time.monotonic() < deadline, wire.read_bytes()
            check_offered(await it.ask(0, 10, main), 0, 10)
            await asyncio.sleep(0.1)
        it.open("a = ", uri=(folder / "deploy.pem").as_uri())
        check_empty(await it.ask(0, 4, (folder / "deploy.pem").as_uri()))
    assert secret.encode() not in wire.read_bytes()


async def test_an_unsure_suggestion_is_shown_only_when_asked_for() -> None:
    async with editor(FAKED, options={"confidenceThreshold": 0.9}) as it:
        it.open("a = ")
        check_empty(await it.ask(0, 4))
        invoked = it.send(0, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked)
        check_offered(await asyncio.wait_for(invoked, TIMEOUT), 0, 4)


async def test_settings_sent_with_a_change() -> None:
    async with editor(FAKED) as it:
        it.open("a = ")
        for sent in ({"infill": {"languages": ["cobol"]}}, {"languages": ["cobol"]}):
            it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(sent))
            check_empty(await it.ask(0, 4))
        it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({"infill": {}}))
        check_offered(await it.ask(0, 4), 0, 4)


async def test_commands() -> None:
    async with editor(FAKED) as it:
        assert await it.execute("infill.accepted", {"uri": "file:///a.py", "version": 1, "length": 6}) is None
        assert (await it.execute("infill.status"))["state"] == "ready"
        assert await it.execute("infill.restartWorker") is None


if __name__ == "__main__":
    from lsp_server.handlers import server
    from lsp_server.session import logs

    logs.configure(Path(sys.argv[1]) if sys.argv[1:] else None)
    worker: Any = FakeWorker()
    server.serve(server.build(Session(lambda settings: worker)))
