"""What a status line is told while a worker is used, with a worker that answers as scripted."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lsp_server.session import monitored_worker
from lsp_server.session.monitored_worker import MonitoredWorker
from model_runtime.protocol import Done, Infill, Refused, Slot, Status, Texts
from tests.support.fakes import eventually
from tests.support.worker_status import STATUS

REQUEST = Infill(1, "a", "", (Slot(8),))
DONE = Done(1, ("a",), 0.5, 1, 0, 0, 0)
LOADING = msgspec.structs.replace(STATUS, state="loading", progress=0.25)


class Scripted:
    """Gives the scripted answers to fills and status requests, one after the other."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.calls: list[str] = []

    async def _next(self, call: str) -> Any:
        self.calls.append(call)
        answer = self.script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
        return await self._next("fill")

    async def status(self) -> Status | Refused:
        return await self._next("status")

    async def prepare(self) -> None:
        self.calls.append("prepare")

    async def stop(self) -> bool:
        return await self._next("stop")

    def tell(self, texts: Texts) -> None:
        pass

    def feedback(self, **counts: int) -> None:
        self.calls.append(f"feedback {counts}")

    async def close(self) -> None:
        self.calls.append("close")


def worker_with(*script: Any, listens: bool = True) -> tuple[MonitoredWorker, Scripted, list[str]]:
    """The worker, its client, and the states that it reports."""
    client: Any = Scripted(*script)
    worker, told = MonitoredWorker(client), list[str]()
    if listens:
        worker.on_status = lambda status: told.append(status.state)
    return worker, client, told


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([DONE], ["busy", "idle"]),
        ([Refused(1, "failed", "no model")], ["busy", "degraded"]),
        ([Refused(1, "superseded")], ["busy", "idle"]),
        ([asyncio.CancelledError()], ["busy", "idle"]),
        ([ValueError()], ["busy", "idle"]),
    ],
    ids=["done", "failed", "superseded", "cancelled", "a bug"],
)
async def test_a_fill(script: list[Any], told: list[str]) -> None:
    worker, _, states = worker_with(*script)
    answer = script[0]
    if isinstance(answer, BaseException):
        with pytest.raises(type(answer)):
            await worker.fill(REQUEST)
    else:
        assert await worker.fill(REQUEST) is answer
    assert states == told
    assert worker.last_status.running == 0


async def test_a_worker_that_loads_is_asked_until_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitored_worker, "POLL_S", 0.0)
    worker, client, told = worker_with(Refused(1, "loading", "is being loaded"), LOADING, LOADING, STATUS)
    await worker.fill(REQUEST)
    await eventually(lambda: not client.script)
    await eventually(lambda: worker.last_status.state == "idle")
    assert told == ["busy", "loading", "loading", "idle"], "what is the same is told once"
    assert client.calls == ["fill", "status", "status", "status"]


@pytest.mark.parametrize("listens", [True, False])
async def test_only_somebody_who_listens_makes_it_ask(listens: bool) -> None:
    worker, client, told = worker_with(STATUS, listens=listens)
    await worker.prepare()
    await asyncio.sleep(0.01)
    assert client.calls == (["prepare", "status"] if listens else ["prepare"])
    assert told == (["idle"] if listens else [])


async def test_restart_and_no_more_reports() -> None:
    worker, client, told = worker_with(True, False, DONE)
    worker.last_status = worker.last_status.told(STATUS)
    worker.on_status, report = None, worker.on_status
    await worker.restart()
    assert (worker.last_status.state, worker.last_status.message) == (
        "stopped",
        "the worker is being restarted",
    )
    await worker.restart()
    assert client.calls == ["stop", "prepare", "stop", "prepare"], "one that was not there is started"
    worker.on_status = report
    worker.stop_reporting()
    await worker.fill(REQUEST)
    assert told == []


async def test_another_client_goes_on_where_the_last_one_was() -> None:
    worker, first, told = worker_with(DONE)
    await worker.fill(REQUEST)
    second: Any = Scripted(DONE, STATUS)
    assert worker.use(second) is first
    worker.feedback(shown=1)
    await worker.fill(REQUEST)
    assert await worker.status() is STATUS
    await worker.close()
    assert first.calls == ["fill"]
    assert second.calls == ["feedback {'shown': 1, 'accepted': 0}", "fill", "status", "close"]
    assert told == ["busy", "idle", "busy", "idle"]
