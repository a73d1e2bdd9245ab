"""Sending to a client that reads slowly, and sending what cannot be sent: over a real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from model_runtime import protocol
from model_runtime.daemon.outbox import DRAFT_BACKLOG, MAX_BACKLOG, Outbox
from model_runtime.protocol import Done, Draft, Refused, WorkerMessage

LARGE = "x" * (protocol.MAX_FRAME + 1)
BROKEN = "\ud800"  # a lone surrogate: no UTF-8


def done(number: int, text: str) -> Done:
    return Done(number, (text,), 0.5, 1, 0.0, 0.0, 0.0)


class Pair:
    """An outbox and the other end of its connection, which reads only when told to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "w.sock"
        self.accepted: asyncio.Future[Outbox] = asyncio.get_running_loop().create_future()

    async def open(self) -> Outbox:
        async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted.set_result(Outbox(1, writer))

        await asyncio.start_unix_server(accept, self.path)
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        return await self.accepted

    async def messages(self, outbox: Outbox) -> list[WorkerMessage]:
        """All that came, once the outbox is closed."""
        outbox.writer.close()
        found: list[WorkerMessage] = []
        while (message := await protocol.read_message(self.reader, protocol.worker_decoder)) is not None:
            found.append(message)
        self.writer.close()
        return found


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (done(1, "x"), "done"),
        (done(1, LARGE), "refused"),
        (done(1, BROKEN), "refused"),
        (Draft(1, 1, (LARGE,)), ""),
        (Draft(1, 1, (BROKEN,)), ""),
    ],
    ids=["fits", "too large", "no text", "too large a draft", "a draft that is no text"],
)
async def test_what_cannot_be_sent(tmp_path: Path, message: WorkerMessage, sent: str) -> None:
    pair = Pair(tmp_path)
    outbox = await pair.open()
    outbox.send(message)
    outbox.send(done(2, "next"))
    *first, last = await pair.messages(outbox)
    assert last == done(2, "next"), "the connection goes on"
    if sent == "refused":
        (refused,) = first
        assert isinstance(refused, Refused)
        assert (refused.id, refused.reason) == (1, "failed")
        assert refused.message.startswith("the answer cannot be sent: ")
    else:
        assert first == ([message] if sent else [])


async def test_a_slow_reader_gets_answers_but_no_drafts(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    outbox = await pair.open()
    outbox.send(Draft(1, 1, ("before",)))
    outbox.send(done(2, "x" * (3 * DRAFT_BACKLOG)))  # more than the kernel takes
    outbox.send(Draft(1, 2, ("meanwhile",)))
    outbox.send(done(1, "answer"))
    kinds = [(type(message), message.id) for message in await pair.messages(outbox)]  # type: ignore[union-attr]
    assert kinds == [(Draft, 1), (Done, 2), (Done, 1)]


async def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    outbox = await pair.open()
    for number in range(4):
        outbox.send(done(number, "x" * (MAX_BACKLOG // 2)))
    assert outbox.writer.is_closing()
    outbox.send(done(9, "x"))  # nothing happens
    with pytest.raises((ConnectionError, protocol.ProtocolError)):
        await pair.messages(outbox)
