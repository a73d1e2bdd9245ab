"""The page's process: who is let in, what it hands out, and the way of messages between page and server."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lsp_server.config.settings import SETTINGS
from lsp_server.play import bridge, service
from lsp_server.play.site import STATIC, Site
from tests.support.paths import ROOT

PORT = 4321
OWN = {"host": f"127.0.0.1:{PORT}"}
PAGE = OWN | {"origin": f"http://127.0.0.1:{PORT}"}
SITE = Site(PORT, {"version": "1"}, "secret")
TIMEOUT = 30

# A server that says what it hears, backwards; after `end` it ends, after `garbage` it prints some.
ECHO = (
    sys.executable,
    "-c",
    """
import sys
while True:
    head = sys.stdin.buffer.readline()
    if not head:
        break
    sys.stdin.buffer.readline()
    body = sys.stdin.buffer.read(int(head.split(b":")[1]))
    if body == b"end":
        break
    if body == b"garbage":
        print("Traceback: oh no", flush=True)
        continue
    answer = body.decode()[::-1].encode()
    sys.stdout.buffer.write(b"Content-Type: x\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(answer), answer))
    sys.stdout.flush()
""".replace("\\\\", "\\"),
)


# Who is let in


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/secret/", OWN, 200),
        ("/secret/index.html?x=1", OWN, 200),
        ("/secret/play.js", PAGE, 200),
        ("/secret/play.css", PAGE | {"sec-fetch-site": "same-origin"}, 200),
        ("/secret/", OWN | {"sec-fetch-site": "none"}, 200),
        ("/secret/", {"host": f"localhost:{PORT}"}, 200),
        ("/secret/config.json", PAGE, 200),
        ("/secret/lsp", PAGE, None),
        ("/secret/lsp", {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}, None),
        # without the token, or with another one
        ("/", OWN, 403),
        ("/lsp", PAGE, 403),
        ("/play.js", OWN, 403),
        ("/Secret/", OWN, 403),
        ("/secre/lsp", PAGE, 403),
        ("/secrets/lsp", PAGE, 403),
        ("/sécret/", OWN, 403),
        ("//secret/", OWN, 403),
        # a name of somebody else's that leads here
        ("/secret/", {"host": f"evil.example:{PORT}"}, 403),
        ("/secret/", {"host": "127.0.0.1"}, 403),
        ("/secret/", {}, 403),
        # a page of somebody else's
        ("/secret/lsp", OWN | {"origin": "http://evil.example"}, 403),
        ("/secret/lsp", OWN | {"origin": f"https://127.0.0.1:{PORT}"}, 403),
        ("/secret/lsp", OWN | {"origin": "http://127.0.0.1:9999"}, 403),
        ("/secret/lsp", OWN | {"origin": "null"}, 403),
        ("/secret/lsp", OWN, 403),  # no browser's page
        ("/secret/play.js", OWN | {"sec-fetch-site": "cross-site"}, 403),
        ("/secret/play.js", OWN | {"sec-fetch-site": "same-site"}, 403),
        # what is not the page's
        ("/secret/../settings.py", OWN, 404),
        ("/secret/sources.json", OWN, 404),
        ("/secret//etc/passwd", OWN, 404),
    ],
)
def test_who_gets_what(path: str, headers: dict[str, str], status: int | None) -> None:
    page = SITE.answer(path, headers)
    assert (page and page.status) == status
    assert page is None or page.body


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    page = SITE.answer("/secret/", OWN)
    assert page
    headers = SITE.headers(page)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert f"ws://127.0.0.1:{PORT}" in policy
    assert headers["Referrer-Policy"] == "no-referrer"  # the token is in the address
    for name in ("index.html", "play.css"):
        text = (STATIC / name).read_text("utf-8")
        assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https:" not in text


def test_each_run_has_a_token_of_its_own() -> None:
    tokens = {Site(PORT, {}).token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32


def test_the_page_is_told_the_table_of_settings() -> None:
    told = json.loads(json.dumps(service.config({"device": "cpu"})))
    assert told["given"] == {"device": "cpu"}
    assert set(told["settings"]) == set(SETTINGS)
    assert told["settings"]["maxHoleTokens"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 256}
    assert "typescript" in told["languages"]


# Messages


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


@asynccontextmanager
async def serving(command: tuple[str, ...] = ECHO) -> AsyncIterator[Site]:
    server, site = await service.listen(0, {}, command)
    async with server:
        yield site


def join(site: Site, **changes: Any) -> Any:
    address = site.address.replace("http", "ws") + "lsp"
    return connect(
        address, **{"origin": site.address.partition(f"/{site.token}")[0], "proxy": None} | changes
    )


async def hear(socket: ClientConnection) -> str:
    return str(await asyncio.wait_for(socket.recv(), TIMEOUT))


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(100 * TIMEOUT):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]


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


@pytest.mark.parametrize("changes", [{"origin": "http://evil.example"}, {"origin": None}])
async def test_strangers_get_no_websocket_and_start_no_server(changes: dict[str, Any]) -> None:
    before = len(children())
    async with serving() as site:
        with pytest.raises(InvalidStatus) as refused:
            await join(site, **changes)
        assert refused.value.response.status_code == HTTPStatus.FORBIDDEN
        assert len(children()) == before


async def test_the_real_server_answers_through_the_bridge() -> None:
    async with serving(bridge.COMMAND) as site, join(site) as socket:
        params = {"processId": None, "rootUri": None, "capabilities": {}}
        ask = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        await socket.send(json.dumps(ask))
        answer = json.loads(await hear(socket))
        assert answer["result"]["serverInfo"]["name"] == "infill-ls"


# The command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "lsp_server", "play", "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "{taken}"], "leave it out for a free one"),
        (["--port", "70000"], "70000"),
        (["--device", "abacus"], "--device: 'abacus' is not one of"),
    ],
)
async def test_wrong_use(options: list[str], message: str) -> None:
    async with serving() as site:
        options = [option.format(taken=site.port) for option in options]
        command = [sys.executable, "-m", "lsp_server", "play", "--no-browser", *options]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE)
        _, told = await asyncio.wait_for(process.communicate(), TIMEOUT)
        assert process.returncode == 2
        assert message in told.decode()
        assert "Traceback" not in told.decode()
