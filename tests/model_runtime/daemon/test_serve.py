"""The worker as a real process: loading, deadlines, status, stopping."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model_runtime import protocol
from model_runtime.daemon import serve
from model_runtime.protocol import (
    Cancel,
    Done,
    Draft,
    Feedback,
    Refused,
    Stop,
)
from tests.support.daemon import FAKE, LONG, Daemon, Peer
from tests.support.fakes import infill

pytestmark = pytest.mark.timeout(30)


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


def test_the_real_engine_raises_what_the_scheduler_and_the_daemon_catch() -> None:
    from model_runtime.diffusion import faults
    from model_runtime.inference import engine
    from model_runtime.loading import model

    assert engine.Unfillable is faults.Unfillable
    assert model.ModelError is faults.ModelError
