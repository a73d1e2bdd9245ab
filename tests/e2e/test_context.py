"""What of other text goes with a request, from an editor's side: the real server, reader process and worker,
and a model server that keeps what it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsprotocol import types as lsp

from tests.conftest import private_workers
from tests.e2e.conftest import Place
from tests.e2e.test_stdio import Editor, running_editor
from tests.support.servers import Process, started

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
    with started("--has", "chat", module="tests.support.text_server") as process:
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
        assert await editor.ask(place) == "1", "suggestions go on"


def kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
