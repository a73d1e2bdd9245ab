"""The way of messages between page and server."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from lsp_server.play import bridge
from tests.lsp_server.play.serving import children, hear, join, serving, until


async def read(data: bytes) -> list[bytes]:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return [body async for body in bridge.messages(stream)]


@given(st.lists(st.binary(max_size=200), max_size=5), st.binary(max_size=3))
@settings(deadline=None)
def test_framing_round_trip(bodies: list[bytes], rest: bytes) -> None:
    data = b"".join(map(bridge.framed, bodies))
    assert asyncio.run(read(data)) == bodies
    assert asyncio.run(read(data + rest)) == bodies


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n\n",
        b"Content-Length: x\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 99999999999\r\n\r\n{}",
        b"Content-Length: 5\r\n\r\n{}",
    ],
)
async def test_what_is_no_message_ends_it(data: bytes) -> None:
    assert await read(data) == []


async def test_messages_go_both_ways_and_each_page_has_its_server() -> None:
    before = len(children())
    async with serving() as site:
        async with join(site) as one, join(site) as other:
            await one.send("abc")
            await other.send("é😀")
            await one.send("x" * 300_000)
            assert await hear(one) == "cba"
            assert await hear(other) == "😀é"
            assert await hear(one) == "x" * 300_000
            assert len(children()) == before + 2
        await until(lambda: len(children()) == before)


async def test_what_a_server_prints_between_messages_is_left_out() -> None:
    async with serving() as site, join(site) as socket:
        await socket.send("garbage")
        await socket.send("ab")
        assert await hear(socket) == "ba"


async def test_a_server_that_ends_closes_the_websocket_with_a_reason() -> None:
    async with serving() as site, join(site) as socket:
        await socket.send("end")
        with pytest.raises(ConnectionClosed) as closed:
            await hear(socket)
        assert closed.value.rcvd
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "The language server has ended.")
        async with join(site) as again:  # another attempt gets another server
            await again.send("ab")
            assert await hear(again) == "ba"


async def test_a_server_that_does_not_leave_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "LEAVE_S", 0.2)
    stubborn = (sys.executable, "-c", "import time; time.sleep(60)")
    before = len(children())
    async with serving(stubborn) as site:
        async with join(site):
            await until(lambda: len(children()) == before + 1)
        await until(lambda: len(children()) == before)


async def test_the_real_server_answers_through_the_bridge() -> None:
    async with serving(bridge.COMMAND) as site, join(site) as socket:
        params = {"processId": None, "rootUri": None, "capabilities": {}}
        ask = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        await socket.send(json.dumps(ask))
        answer = json.loads(await hear(socket))
        assert answer["result"]["serverInfo"]["name"] == "infill-ls"
