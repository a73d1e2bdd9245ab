"""One connection to a worker that does as scripted, over a real socket: signs of life, answers, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lsp_server.worker_client import connection, launch
from lsp_server.worker_client.connection import GONE, HUNG, MISSED, Connection
from model_runtime import protocol
from model_runtime.protocol import Cancel, Done, Draft, Refused, StatusRequest
from tests.support.fakes import infill

DONE = Done(1, ("a",), 0.5, 1, 0, 0, 0)

# What the worker does with each message; it hangs up by closing the writer.
React = Callable[[protocol.ClientMessage, asyncio.StreamWriter], Awaitable[None]]


class Lost:
    def __init__(self) -> None:
        self.hung: list[bool] = []

    def __call__(self, lost: Connection) -> None:
        self.hung.append(lost.hung)


@asynccontextmanager
async def connected(endpoint: Path, react: React) -> AsyncIterator[tuple[Connection, Lost]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(protocol.pack(protocol.Hello()))
        while message := await protocol.read_message(reader, protocol.client_decoder):
            if not isinstance(message, protocol.Hello):
                await react(message, writer)
        writer.close()

    async with await asyncio.start_unix_server(serve, endpoint):
        link = await launch.connect(endpoint)
        assert link
        lost = Lost()
        it = Connection(link, lost)
        yield it, lost
        await it.close()


@pytest.mark.parametrize("alive", [True, False])
async def test_a_worker_hangs_when_it_gives_no_sign_of_life(
    alive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BEAT_S", 0.02)
    beats = 0

    async def react(message: protocol.ClientMessage, writer: asyncio.StreamWriter) -> None:
        nonlocal beats
        if not isinstance(message, StatusRequest):
            return
        beats += 1
        if alive:
            last = beats > 2 * MISSED
            writer.write(protocol.pack(DONE if last else Refused(message.id, "loading")))

    async with connected(tmp_path / "socket", react) as (it, lost):
        answer = await asyncio.wait_for(it.ask(infill()), 10)
        assert answer == (DONE if alive else Refused(1, "worker-lost", HUNG))
        assert it.usable == alive
        assert lost.hung == ([] if alive else [True])
        assert beats == (2 * MISSED + 1 if alive else MISSED)


async def test_each_request_gets_its_own_answer_and_drafts(tmp_path: Path) -> None:
    async def react(message: protocol.ClientMessage, writer: asyncio.StreamWriter) -> None:
        if isinstance(message, protocol.Infill) and message.id == 2:  # the second is answered first
            for number in (7, 2, 1):  # nobody waits for 7
                writer.write(protocol.pack(Draft(number, 1, (f"draft {number}",))))
                writer.write(protocol.pack(Done(number, (f"text {number}",), 0.5, 1, 0, 0, 0)))

    drafts: list[Draft] = []
    async with connected(tmp_path / "socket", react) as (it, lost):
        answers = await asyncio.gather(it.ask(infill(id=1)), it.ask(infill(id=2), drafts.append))
    assert [each.texts for each in answers if isinstance(each, Done)] == [("text 1",), ("text 2",)]
    assert [draft.texts for draft in drafts] == [("draft 2",)]
    assert lost.hung == []


async def test_when_it_breaks_those_who_wait_are_refused_once(tmp_path: Path) -> None:
    async def react(message: protocol.ClientMessage, writer: asyncio.StreamWriter) -> None:
        if isinstance(message, protocol.Infill) and message.id == 2:
            writer.close()

    async with connected(tmp_path / "socket", react) as (it, lost):
        answers = await asyncio.gather(it.ask(infill(id=1)), it.ask(infill(id=2)))
        assert answers == [Refused(number, "worker-lost", GONE) for number in (1, 2)]
        assert lost.hung == [False]
        assert await it.ask(infill(id=3)) == Refused(3, "worker-lost", GONE)


async def test_a_caller_that_is_cancelled_cancels_the_request(tmp_path: Path) -> None:
    heard: asyncio.Queue[protocol.ClientMessage] = asyncio.Queue()

    async def react(message: protocol.ClientMessage, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(message)

    async with connected(tmp_path / "socket", react) as (it, lost):
        task = asyncio.create_task(it.ask(infill(id=5)))
        await asyncio.wait_for(heard.get(), 10)
        task.cancel()
        assert await asyncio.wait_for(heard.get(), 10) == Cancel(5)
    assert lost.hung == [], "close() tells nobody"
