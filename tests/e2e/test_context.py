"""What of other text goes with a request, from an editor's side: the real server, reader process and worker,
and a model server that keeps what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.conftest import private_workers
from tests.e2e.conftest import Place
from tests.e2e.test_stdio import Editor, raw, running_editor
from tests.support.servers import Process, started

ANSWER = "price(1)"  # of the server; a character or two would not be offered
SECONDS = 80.0  # for processes to start and files to be read
ABLE = lsp.ClientCapabilities(
    text_document=lsp.TextDocumentClientCapabilities(
        code_action=lsp.CodeActionClientCapabilities(
            resolve_support=lsp.ClientCodeActionResolveOptions(["edit"]), data_support=True
        )
    )
)


@pytest.fixture
def server() -> Iterator[Process]:
    with started("--has", "chat", "--answer", ANSWER, module="tests.support.text_server") as process:
        yield process


@pytest.fixture(autouse=True)
def own_workers() -> Iterator[Path]:
    with private_workers() as folder:
        yield folder


@asynccontextmanager
async def editing(
    command: list[str], folder: Path, server: Process, text: str, **settings: object
) -> AsyncIterator[tuple[Editor, Place]]:
    """An editor with `main.py` open, the cursor at its end; the model is behind the server."""
    path = folder / "main.py"
    path.write_text(text)
    place = Place(path, text, text.count("\n"), len(text.rpartition("\n")[2]))
    options = {"deadlineMs": 20_000, "confidenceThreshold": 0.0, "trusted": True, **settings}
    options |= {"backend": "openai", "backendUrl": server.url}
    async with running_editor(command, options, ABLE, folder) as editor:
        editor.open(place)
        yield editor, place


async def until(sent: Callable[[], str], part: str, ask: Callable[[], Awaitable[object]]) -> None:
    """Ask again and again until a part is in what is sent."""
    end = time.monotonic() + SECONDS
    while part not in sent():
        assert time.monotonic() < end, f"{part!r} was never sent, but {sent()[-3000:]}"
        await ask()
        await asyncio.sleep(0.2)


def last(server: Process) -> Callable[[], str]:
    """The last request to the server."""
    return lambda: (server.seen() or [""])[-1]


async def status(editor: Editor) -> Any:
    params = lsp.ExecuteCommandParams("infill.status")
    return await asyncio.wait_for(editor.client.workspace_execute_command_async(params), 30)


async def test_a_line_of_a_gitignore_that_is_no_pattern(
    server_command: list[str], tmp_path: Path, server: Process
) -> None:
    (tmp_path / ".gitignore").write_text("ignored.py\nbin\\\n!\n")
    (tmp_path / "ignored.py").write_text("def price_of(secret_price): ...\n")
    (tmp_path / "prices.py").write_text("def price_of(item): ...\n")
    async with editing(server_command, tmp_path, server, "total = price_of(") as (editor, place):
        await until(last(server), "def price_of(item)", lambda: editor.ask(place))
        assert "secret_price" not in "".join(server.seen())
        end = time.monotonic() + SECONDS
        while not (context := (await status(editor))["context"])["skipped"]:
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        assert context["reading"] is True
        assert [line for line in editor.shown if "no pattern" in line] == editor.shown
        assert len(editor.shown) == 1


async def test_a_reader_that_keeps_dying_is_told_of(
    server_command: list[str], tmp_path: Path, server: Process
) -> None:
    async with editing(server_command, tmp_path, server, "total = ") as (editor, place):
        end, opened = time.monotonic() + SECONDS, 0
        while (context := (await status(editor))["context"])["reading"]:
            assert time.monotonic() < end, "the reader was never given up"
            for child in editor.server.children():
                if any("index_process" in word for word in child.cmdline()):
                    kill(child)
            opened += 1
            editor.open(replace(place, path=tmp_path / f"other{opened}.py"))  # which is to be read
            await editor.ask(place)
            await asyncio.sleep(0.1)
        assert "failed 3 times" in context["message"]
        assert editor.shown == [context["message"]]
        assert await editor.ask(place) == ANSWER, "suggestions go on"


def kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


SECRET = "ghp_aK3xV9mQ2nR7tY1wZ5bC8dF4gH6jL0pS2uXe"
PRICES = "def price_of(item):\n    return 1\n\n\ndef f():\n    return price_of(2)\n"
SHOP = "def total(items):\n    return price_of(items)\n\n\ndef f():\n    pass\n\n\nvalue = price_of("


async def actions_at(editor: Editor, place: Place, line: int, *found: str, kind: str = "") -> Any:
    """The actions at the end of a line in which other servers found something."""
    where = lsp.Range(lsp.Position(line, 4), lsp.Position(line, 8))
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(place.uri),
        lsp.Range(where.start, where.start),
        lsp.CodeActionContext(
            [lsp.Diagnostic(where, message) for message in found], [kind] if kind else None
        ),
    )
    return await raw(editor, lsp.TEXT_DOCUMENT_CODE_ACTION, params)


async def resolve(editor: Editor, action: Any) -> None:
    """Only what is sent counts here, not whether the answer can be used."""
    with contextlib.suppress(JsonRpcException):
        await raw(editor, lsp.CODE_ACTION_RESOLVE, action, SECONDS)


async def test_no_secret_of_a_diagnostic_is_sent(
    server_command: list[str], tmp_path: Path, server: Process
) -> None:
    """Neither with a fix nor with what is completed afterwards in that line."""
    async with editing(server_command, tmp_path, server, "a = 1\nb = foo\nvalue = ") as (editor, place):
        await until(last(server), "value = ", lambda: editor.ask(place))
        message = f'foo is not defined\n"{SECRET}" is not one either'
        (action,) = await actions_at(editor, place, 1, message, kind="quickfix.infill")
        await resolve(editor, action)
        assert "foo is not defined" in last(server)()
        await actions_at(editor, place, 2, f"{SECRET} is odd", "so is value")
        await until(last(server), "is wrong in line 3: so is value", lambda: editor.ask(place))
        assert SECRET not in "".join(server.seen())


async def test_actions_are_told_of_other_files(
    server_command: list[str], tmp_path: Path, server: Process
) -> None:
    (tmp_path / "prices.py").write_text(PRICES)
    async with editing(server_command, tmp_path, server, SHOP) as (editor, place):
        await until(last(server), "# prices.py", lambda: editor.ask(place))
        for line, kind in (
            (5, "refactor.rewrite.infill.fill"),
            (0, "refactor.rewrite.infill.docstring"),
            (5, "source.fillAll.infill"),
            (1, "quickfix.infill"),
        ):
            before = len(server.seen())
            (action,) = await actions_at(editor, place, line, "never used", kind=kind)
            await resolve(editor, action)
            asked = server.seen()[before:]
            assert asked
            assert all("# prices.py" in request for request in asked), kind
        before = len(server.seen())
        argument = {"uri": place.uri, "range": [[0, 0], [1, 9]], "instruction": "shorter", "apply": False}
        params = lsp.ExecuteCommandParams("infill.rewrite", [argument])
        await asyncio.wait_for(editor.client.workspace_execute_command_async(params), SECONDS)
        (rewrite,) = server.seen()[before:]
        assert "# prices.py" in rewrite


async def test_a_completion_is_told_of_the_document_s_own_edits(
    server_command: list[str], tmp_path: Path, server: Process
) -> None:
    text = "def area(w, h):\n    return w * h\n\n\n" + "x = 1\n" * 40 + "area("
    (tmp_path / "other.py").write_text("def area(from_a_file): ...\n")
    async with editing(server_command, tmp_path, server, text) as (editor, place):
        # The document is read before the files: once these are known, it is too.
        await until(last(server), "from_a_file", lambda: editor.ask(place))
        where = lsp.Range(lsp.Position(0, 9), lsp.Position(0, 13))
        document = lsp.VersionedTextDocumentIdentifier(2, place.uri)
        change = lsp.TextDocumentContentChangePartial(where, f"width, key='{SECRET}'")
        editor.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [change]))
        change = lsp.TextDocumentContentChangePartial(
            lsp.Range(lsp.Position(1, 11), lsp.Position(1, 12)), "W"
        )
        document = lsp.VersionedTextDocumentIdentifier(3, place.uri)
        editor.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [change]))
        await until(last(server), "was changed lately", lambda: editor.ask(place))
        history = last(server)().partition("was changed lately")[2].partition("The python file")[0]
        assert "# - def area(w, h):" in history
        assert "# +     return W * h" in history
        assert SECRET not in history
