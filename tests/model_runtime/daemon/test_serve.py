"""The daemon as a real process, spoken to over its socket by hand: faults, deadlines, life cycle."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from model_runtime import protocol
from model_runtime.daemon import endpoint, serve
from model_runtime.protocol import (
    Cancel,
    Done,
    Draft,
    Feedback,
    Hello,
    Infill,
    Refused,
    Status,
    StatusRequest,
    Stop,
)
from tests.support.fakes import eventually, infill
from tests.support.paths import ROOT

pytestmark = pytest.mark.timeout(30)
FAKE = "tests.support.fakes:load_engine"
LONG = "steps=10000 wait=0.01"


class Daemon:
    def __init__(self, folder: Path, model: str, *flags: str) -> None:
        self.endpoint = folder / "w.sock"
        self.log = protocol.log_path(protocol.Choice(model=model))
        command = [sys.executable, "-m", "model_runtime", f"--endpoint={self.endpoint}", f"--model={model}"]
        self.process = subprocess.Popen(
            [*command, f"--engine={FAKE}", *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self.started = time.monotonic()

    def exit_status(self, seconds: float = 5.0) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Daemon]]:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    daemons: list[Daemon] = []

    def launch(model: str = "fake", *flags: str) -> Daemon:
        daemons.append(Daemon(tmp_path, model, *flags))
        return daemons[-1]

    yield launch
    for daemon in daemons:
        daemon.process.kill()
        daemon.process.wait()
        assert daemon.process.stderr is not None
        daemon.process.stderr.close()


class Peer:
    """A client that can also misbehave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, daemon: Daemon, hello: Hello | None = Hello()) -> Peer:  # noqa: B008
        while True:
            try:
                peer = cls(*await asyncio.open_unix_connection(daemon.endpoint))
                break
            except OSError:
                assert daemon.process.poll() is None, "the daemon ended"
                await asyncio.sleep(0.01)
        if hello:
            peer.send(hello)
            assert await peer.receive() == Hello(pid=daemon.process.pid)
        return peer

    def send(self, *messages: protocol.ClientMessage) -> None:
        """In one write: the daemon may close as soon as it has read the first."""
        self.writer.write(b"".join(map(protocol.pack, messages)))

    async def receive(self) -> protocol.WorkerMessage | None:
        async with asyncio.timeout(10):
            return await protocol.read_message(self.reader, protocol.worker_decoder)

    async def ended(self) -> bool:
        try:
            return await self.receive() is None
        except ConnectionError:
            return True

    async def status(self) -> Status:
        self.send(StatusRequest(10**6))
        answer = await self.receive()
        assert isinstance(answer, Status)
        return answer

    async def status_when(self, condition: Callable[[Status], bool]) -> Status:
        for _ in range(500):
            if condition(status := await self.status()):
                return status
            await asyncio.sleep(0.02)
        raise AssertionError("waited too long")

    async def fill(self, request: Infill) -> protocol.WorkerMessage | None:
        self.send(request)
        return await self.receive()


async def test_accepts_before_the_model_is_there(launch: Callable[..., Daemon]) -> None:
    daemon = launch("slow:1.5")
    peer = await Peer.connect(daemon)
    assert time.monotonic() - daemon.started < 1.2, "imports something heavy"
    peer.send(infill("b", id=2), infill("a", id=1, deadline_ms=30))
    refused = await peer.receive()
    assert isinstance(refused, Refused)
    assert (refused.id, refused.reason) == (1, "loading")
    status = await peer.status()
    assert (status.state, status.progress, status.queued) == ("loading", 0.25, 1)
    done = await peer.receive()
    assert isinstance(done, Done)
    assert done.id == 2
    status = await peer.status()
    assert (status.state, status.model, status.device, status.served) == ("ready", "slow:1.5", "cpu", 1)
    assert (status.pid, status.clients) == (daemon.process.pid, 1)
    assert status.memory_bytes < 100e6, "holds torch"


@pytest.mark.parametrize(("model", "message"), [("broken", "no such model"), ("buggy", "division by zero")])
async def test_without_a_model_every_fill_is_refused_with_the_reason(
    launch: Callable[..., Daemon], model: str, message: str
) -> None:
    peer = await Peer.connect(launch(model))
    for number in range(2):
        answer = await peer.fill(infill(id=number))
        assert isinstance(answer, Refused)
        assert answer.reason == "failed"
        assert message in answer.message
    status = await peer.status()
    assert status.state == "failed"
    assert message in status.message


async def test_a_missing_engine_is_a_failed_load_too(launch: Callable[..., Daemon]) -> None:
    peer = await Peer.connect(launch("fake", "--engine=no_such_module:f"))
    answer = await peer.fill(infill())
    assert isinstance(answer, Refused)
    assert "no_such_module" in answer.message


async def test_drafts_cancel_and_supersede(launch: Callable[..., Daemon]) -> None:
    peer = await Peer.connect(launch())
    assert isinstance(await peer.fill(infill("a", LONG, id=1, drafts=True)), Draft)
    peer.send(infill("a", LONG, id=2))
    messages = [await peer.receive()]
    while isinstance(messages[-1], Draft):
        messages.append(await peer.receive())
    assert messages[-1] == Refused(1, "superseded")
    peer.send(Cancel(2), Cancel(77))
    assert await peer.receive() == Refused(2, "cancelled")
    assert isinstance(await peer.fill(infill("a", id=3)), Done)


async def test_a_deadline_passes_while_another_fill_runs(launch: Callable[..., Daemon]) -> None:
    peer = await Peer.connect(launch())
    await peer.status_when(lambda status: status.state == "ready")
    peer.send(infill("slow", "steps=1 wait=1", id=1), infill("b", id=2, deadline_ms=50))
    began = time.monotonic()
    answer = await peer.receive()
    assert isinstance(answer, Refused)
    assert (answer.id, answer.reason) == (2, "deadline")
    assert time.monotonic() - began < 0.6
    best = await peer.fill(infill("c", LONG, id=3, deadline_ms=1500))
    assert isinstance(best, Done)
    assert best.id == 1
    best = await peer.receive()
    assert isinstance(best, Done)
    assert not best.complete


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


async def test_the_model_leaves_first_and_a_request_brings_it_back(launch: Callable[..., Daemon]) -> None:
    daemon = launch("fake", "--idle-minutes=0.02")
    peer = await Peer.connect(daemon)
    assert isinstance(await peer.fill(infill()), Done)
    await peer.status_when(lambda status: status.state == "unloaded")
    assert isinstance(await peer.fill(infill()), Done)
    status = await peer.status()
    assert (status.state, status.served) == ("ready", 2)
    assert daemon.process.poll() is None
    assert daemon.exit_status(5) == 0


async def test_status_says_where_the_time_went_and_what_was_refused(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    peer, other = await Peer.connect(daemon), await Peer.connect(daemon)
    await peer.status_when(lambda status: status.state == "ready")
    for number in range(4):
        assert isinstance(await peer.fill(infill("a", "steps=4 wait=0.02", id=number)), Done)
    assert isinstance(await peer.fill(infill("a", "refuse=x", id=9)), Refused)
    other.send(Feedback(shown=3), Feedback(accepted=1), Feedback(shown=-7))
    status = await peer.status_when(lambda status: status.accepted == 1)
    assert (status.requests, status.served, status.refused) == (5, 4, {"invalid": 1})
    assert status.shown == 3
    assert set(status.parts) == {"queue", "prefill", "denoise", "step", "post"}
    assert 75 <= status.parts["denoise"].p50 <= status.p50_ms + 2
    assert 18 <= status.parts["step"].p50 < 40
    assert status.p50_ms <= status.p90_ms <= status.p99_ms
    assert 0 < status.uptime_s < 30


async def test_a_step_that_never_ends_ends_the_worker(launch: Callable[..., Daemon]) -> None:
    daemon = launch("fake", "--stuck-seconds=0.4")
    peer = await Peer.connect(daemon)
    assert isinstance(await peer.fill(infill("a", "steps=8 wait=0.1")), Done), "slow is not stuck"
    peer.send(infill("a", "wait=3600"))
    assert await peer.ended()
    assert daemon.exit_status() == serve.STUCK_STATUS
    assert "stuck" in daemon.log.read_text()


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


@pytest.mark.parametrize("how", ["message", "SIGTERM", "SIGINT"])
async def test_stopping_refuses_what_is_pending_and_leaves_nothing(
    launch: Callable[..., Daemon], how: str
) -> None:
    daemon = launch()
    peer, other = await Peer.connect(daemon), await Peer.connect(daemon)
    await peer.status_when(lambda status: status.state == "ready")
    peer.send(infill("a", LONG, id=1), infill("b", id=2))
    await other.status_when(lambda status: status.queued == 1)
    if how == "message":
        other.send(Stop())
    else:
        daemon.process.send_signal(getattr(signal, how))
    assert [await peer.receive(), await peer.receive()] == [
        Refused(number, "stopping", "the worker is stopping") for number in (1, 2)
    ]
    assert await peer.ended()
    assert await other.ended()
    assert daemon.exit_status() == 0
    assert not daemon.endpoint.exists()


async def test_stopping_does_not_wait_for_a_load_or_a_deaf_client(launch: Callable[..., Daemon]) -> None:
    daemon = launch("slow:60")
    await Peer.connect(daemon, None)
    (await Peer.connect(daemon)).send(Stop())
    assert daemon.exit_status(8) == 0


@pytest.mark.parametrize("model", ["fake", "broken"])
async def test_leaves_when_idle_although_somebody_is_connected(
    launch: Callable[..., Daemon], model: str
) -> None:
    daemon = launch(model, "--idle-minutes=0.01")
    peer = await Peer.connect(daemon)
    await peer.fill(infill("a", "steps=1 wait=1.2"))
    assert daemon.process.poll() is None, "a fill that runs is no idleness"
    while await peer.receive() is not None:
        pass
    assert daemon.exit_status() == 0
    assert not daemon.endpoint.exists()


async def test_without_a_model_it_leaves_soon_so_that_the_next_one_tries_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "FAILED_S", 0.1)
    monkeypatch.setattr(serve, "POLL_S", 0.05)
    options = serve.Options(tmp_path / "w.sock", protocol.Choice(model="broken"), 0, FAKE, loopback=False)
    await asyncio.wait_for(serve.Daemon(options).run(), 5)


async def test_one_daemon_per_endpoint_and_a_stale_socket_is_replaced(launch: Callable[..., Daemon]) -> None:
    first = launch()
    await Peer.connect(first)
    second = launch()  # waits for the first to leave
    await asyncio.sleep(0.5)
    assert second.process.poll() is None
    first.process.kill()
    first.exit_status()
    assert first.endpoint.exists()
    status = await (await Peer.connect(second)).status()
    assert status.pid == second.process.pid


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


@pytest.mark.parametrize("name", ["shared/w.sock", "x" * 150 + ".sock"])
def test_an_endpoint_that_cannot_be_used_is_one_line(
    launch: Callable[..., Daemon], tmp_path: Path, name: str
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    daemon = launch("fake", f"--endpoint={tmp_path / name}")
    _, stderr = daemon.process.communicate(timeout=5)
    assert daemon.exit_status() == 1
    assert stderr.count("\n") == 1, stderr


async def test_closing_leaves_a_successors_endpoint_alone(tmp_path: Path) -> None:
    async def nobody(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...

    path = tmp_path / "w.sock"
    first = await endpoint.listen(path, nobody)
    path.rename(tmp_path / "old.sock")
    second = await endpoint.listen(path, nobody)
    first.close()
    assert path.exists()
    second.close()
    assert not path.exists()


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


def test_the_real_engine_raises_what_the_scheduler_and_the_daemon_catch() -> None:
    from model_runtime.diffusion import faults
    from model_runtime.inference import engine
    from model_runtime.loading import model

    assert engine.Unfillable is faults.Unfillable
    assert model.ModelError is faults.ModelError
