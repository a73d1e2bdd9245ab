"""Who may speak to the worker, and what becomes of those who do not speak as they should."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import sys
from collections.abc import Callable

import psutil
import pytest

from model_runtime import protocol
from model_runtime.protocol import (
    Cancel,
    Done,
    Draft,
    Hello,
    StatusRequest,
    Stop,
)
from tests.support.daemon import LONG, Daemon, Peer
from tests.support.fakes import eventually, infill

pytestmark = pytest.mark.timeout(30)


GARBAGE = {
    "random": random.Random(1).randbytes(300),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "giant": struct.pack(">I", 2**32 - 1) + b"x" * 100,
    "no message": struct.pack(">I", 5) + b"\xff" * 5,
    "deep": struct.pack(">I", 200_000) + b"\x91" * 200_000,
    "second hello": protocol.pack(Hello()),
    "reused id": protocol.pack(infill("x", LONG, id=5)) + protocol.pack(infill("y", id=5)),
}


@pytest.mark.parametrize("greeted", [True, False])
async def test_garbage_drops_its_connection_and_nothing_else(
    launch: Callable[..., Daemon], greeted: bool
) -> None:
    daemon = launch()
    good = await Peer.connect(daemon)
    for name, data in GARBAGE.items():
        if not greeted and name in ("second hello", "reused id"):
            continue
        bad = await Peer.connect(daemon, Hello() if greeted else None)
        bad.writer.write(data)
        assert await bad.ended(), name
        assert isinstance(await good.fill(infill()), Done), name
    truncated = await Peer.connect(daemon, Hello() if greeted else None)
    truncated.writer.write(protocol.pack(infill())[:-3])
    truncated.writer.write_eof()
    assert await truncated.ended()
    status = await good.status_when(lambda status: status.clients == 1)
    assert status.queued == 0
    assert "dropped" in daemon.log.read_text()
    assert "Traceback" not in daemon.log.read_text()


async def test_another_version_and_a_silent_client(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    silent = await Peer.connect(daemon, None)
    stranger = await Peer.connect(daemon, None)
    stranger.send(Hello(version=protocol.VERSION - 1))
    assert await stranger.receive() == Hello(pid=daemon.process.pid), "learns what the worker speaks"
    assert await stranger.ended()
    peer = await Peer.connect(daemon)
    assert (await peer.status()).clients == 1
    silent.writer.close()


async def test_makes_room_for_a_newer_version(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    older, newer = await Peer.connect(daemon, None), await Peer.connect(daemon, None)
    older.send(Hello(version=protocol.VERSION - 1), Stop())
    await older.receive()
    assert await older.ended()
    assert daemon.process.poll() is None, "only a newer one is obeyed"
    newer.send(Hello(version=protocol.VERSION + 1), Stop())
    assert daemon.exit_status() == 0


async def test_the_fill_of_a_client_that_vanishes_is_dropped(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    stays, leaves = await Peer.connect(daemon), await Peer.connect(daemon)
    assert isinstance(await leaves.fill(infill("a", LONG, drafts=True)), Draft)
    leaves.send(infill("b", LONG, id=2))
    leaves.writer.transport.abort()
    assert isinstance(await stays.fill(infill("c", deadline_ms=5000)), Done)
    assert (await stays.status_when(lambda status: status.clients == 1)).queued == 0


async def test_a_client_that_does_not_read_is_disconnected_and_blocks_nobody(
    launch: Callable[..., Daemon],
) -> None:
    daemon = launch()
    deaf, good = await Peer.connect(daemon), await Peer.connect(daemon)
    await good.status_when(lambda status: status.state == "ready")
    text = "text=" + "x" * 1_000_000
    for number in range(12):
        deaf.send(infill(str(number), text, id=number))
    assert (await good.status_when(lambda status: status.clients == 1)).memory_bytes < 200e6
    assert isinstance(await good.fill(infill()), Done)
    assert "does not read" in daemon.log.read_text()


async def test_only_this_user_may_come_in(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    await Peer.connect(daemon)
    assert daemon.endpoint.stat().st_mode & 0o777 == 0o600
    assert daemon.log.stat().st_mode & 0o777 == 0o600
    if os.geteuid() != 0:
        pytest.skip("only root can try as another user")
    daemon.endpoint.parent.chmod(0o711)
    daemon.endpoint.chmod(0o666)
    code = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); os.chdir(sys.argv[1]); os.setuid(65534);"
        "s.connect('w.sock'); sys.exit(len(s.recv(100)))"
    )
    folder = str(daemon.endpoint.parent)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, folder)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert "another user" in daemon.log.read_text()


async def test_loopback_wants_the_token(launch: Callable[..., Daemon]) -> None:
    daemon = launch("fake", "--loopback")
    await eventually(daemon.endpoint.exists)
    assert daemon.endpoint.stat().st_mode & 0o777 == 0o600
    port, token = daemon.endpoint.read_text().split()
    for attempt in ("", "é", token[:-1]):
        peer = Peer(*await asyncio.open_connection("127.0.0.1", int(port)))
        peer.send(Hello(token=attempt))
        assert await peer.ended()
    peer = Peer(*await asyncio.open_connection("127.0.0.1", int(port)))
    peer.send(Hello(token=token))
    assert await peer.receive() == Hello(pid=daemon.process.pid)
    assert isinstance(await peer.fill(infill()), Done)
    peer.send(Stop())
    assert daemon.exit_status() == 0
    assert not daemon.endpoint.exists()


async def test_fuzz_keeps_the_daemon_small_and_alive(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    good = await Peer.connect(daemon)
    await good.status_when(lambda status: status.state == "ready")
    before = psutil.Process(daemon.process.pid).memory_info().rss
    rng = random.Random(2)
    seeds = [protocol.pack(message) for message in (infill(), Cancel(1), StatusRequest(1), Hello())]
    for _ in range(300):
        bad = await Peer.connect(daemon, None)
        data = bytearray(protocol.pack(Hello()) + rng.choice(seeds) + rng.randbytes(rng.randrange(40)))
        for _ in range(rng.randrange(6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        bad.writer.write(data)
        bad.writer.transport.abort() if rng.random() < 0.5 else bad.writer.close()
    assert isinstance(await good.fill(infill()), Done)
    await good.status_when(lambda status: status.clients == 1)
    assert psutil.Process(daemon.process.pid).memory_info().rss - before < 20e6
