"""Real faults on real processes: each costs at most one refusal, and the next request works."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lsp_server.worker_client import client as worker_client
from lsp_server.worker_client import connection, health, launch
from lsp_server.worker_client.client import Worker
from model_runtime import protocol
from model_runtime.protocol import Choice, Done, Fixed, Infill, Refused, Slot, Status
from tests.conftest import end_processes, worker_processes
from tests.support import tiny
from tests.support.fakes import eventually, infill
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.timeout(100),
    pytest.mark.skipif(sys.platform != "linux", reason="needs SIGSTOP, prlimit and tmpfs"),
]
LONG = "steps=10000 wait=0.01"


class FaultyWorker(Worker):
    """Starts its daemon with more flags, or under limits that a shell sets (`ulimit`)."""

    flags: tuple[str, ...] = ("--engine=tests.support.fakes:load_engine",)
    limits = ""

    def _command(self, endpoint: Path) -> list[str]:
        command = [*super()._command(endpoint), *self.flags]
        return ["sh", "-c", f'{self.limits}; exec "$@"', "sh", *command] if self.limits else command


Make = Callable[..., FaultyWorker]
SPARE = 4_000_000  # bytes that a process short of memory still has: with none at all, C libraries give up


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(connection, "BEAT_S", 0.5)
    monkeypatch.setattr(launch, "HELLO_S", 2.0)
    monkeypatch.setattr(health, "BACK_OFF_S", (0.0, 0.3))
    made: list[FaultyWorker] = []

    def make(model: str = "fake", device: str = "auto", **options) -> FaultyWorker:
        made.append(FaultyWorker(Choice(model=model, device=device), **options))
        return made[-1]

    yield make
    for each in made:
        await each.close()
    end_processes(worker_processes(tmp_path))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_folder(tmp_path_factory.mktemp("model"))


def tiny_request(i: int = 0, **more) -> Infill:
    prefix = "".join(f"value_{n} = compute({n})\n" for n in range(30))
    return Infill(id=i, document=f"d{i}", prefix=prefix, canvas=(Fixed("x = "), Slot(8), Fixed("\n")), **more)


async def status_of(client: Worker) -> Status:
    status = await client.status()
    assert isinstance(status, Status), status
    return status


async def status_when(client: Worker, condition: Callable[[Status], bool]) -> Status:
    for _ in range(1000):
        if condition(status := await status_of(client)):
            return status
        await asyncio.sleep(0.02)
    raise AssertionError("waited too long")


async def stepping(client: Worker, request: Infill) -> asyncio.Task[Done | Refused]:
    """A fill that has made its first step."""
    first = asyncio.Event()
    task = asyncio.create_task(client.fill(request, lambda _: first.set()))
    await asyncio.wait_for(first.wait(), 20)
    return task


async def check_refused(answer: asyncio.Future, reason: str, within: float) -> Refused:
    refused = await asyncio.wait_for(answer, within)
    assert isinstance(refused, Refused), refused
    assert refused.reason == reason, refused
    assert refused.message
    assert "\n" not in refused.message
    return refused


@pytest.mark.parametrize("how", ["stopped", "holds the GIL"])
async def test_a_worker_that_hangs_is_replaced(make: Make, how: str) -> None:
    client, other = make(), make()
    assert isinstance(await client.fill(infill()), Done)
    assert isinstance(await other.fill(infill()), Done)
    pid = (await status_of(client)).pid
    if how == "stopped":
        fill = await stepping(client, infill("a", LONG))
        os.kill(pid, signal.SIGSTOP)
    else:
        fill = asyncio.create_task(client.fill(infill("a", "hang=1")))
    second = asyncio.create_task(other.fill(infill("b", LONG, id=2)))
    refused = [await check_refused(waiting, "worker-lost", within=20) for waiting in (fill, second)]
    # Whoever notices first kills it; the other may only see it gone.
    assert any("did not answer" in each.message for each in refused)
    assert isinstance(await asyncio.wait_for(client.fill(infill()), 20), Done)
    assert isinstance(await asyncio.wait_for(other.fill(infill()), 20), Done)
    assert (await status_of(client)).pid == (await status_of(other)).pid != pid
    await eventually(lambda: not psutil.pid_exists(pid))


async def test_a_newcomer_replaces_a_worker_that_hangs(make: Make, tmp_path: Path) -> None:
    first = make()
    assert isinstance(await first.fill(infill()), Done)
    pid = (await status_of(first)).pid
    os.kill(pid, signal.SIGSTOP)
    newcomers = [make() for _ in range(3)]
    answers = await asyncio.wait_for(asyncio.gather(*(each.fill(infill()) for each in newcomers)), 30)
    assert all(isinstance(answer, Done) for answer in answers)
    [process] = worker_processes(tmp_path)
    assert process.pid != pid


async def test_a_stopped_worker_costs_no_more_than_the_deadline_and_can_be_ended(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_client, "ANSWER_S", 0.2)
    monkeypatch.setattr(worker_client, "STATUS_S", 0.5)
    monkeypatch.setattr(connection, "BEAT_S", 60)
    monkeypatch.setattr(launch, "STOP_S", 1.0)
    client = make()
    assert isinstance(await client.fill(infill()), Done)
    os.kill((await status_of(client)).pid, signal.SIGSTOP)
    await check_refused(asyncio.ensure_future(client.fill(infill(deadline_ms=100))), "deadline", within=1)
    status = await client.status()
    assert isinstance(status, Refused)
    assert "worker stop" in status.message
    assert await client.stop()
    assert worker_processes(tmp_path) == []


async def test_a_step_that_never_ends(make: Make) -> None:
    client = make()
    client.flags = (*FaultyWorker.flags, "--stuck-seconds=0.5")
    fill = asyncio.create_task(client.fill(infill("a", "wait=3600")))
    await check_refused(fill, "worker-lost", within=10)
    assert isinstance(await client.fill(infill()), Done)


async def test_after_repeated_failure_it_says_what_to_do_and_goes_on(make: Make) -> None:
    client = make()
    for reason in ("worker-lost", "worker-lost", "worker-down"):
        fill = await stepping(client, infill("a", LONG))
        os.kill((await status_of(client)).pid, signal.SIGKILL)
        refused = await check_refused(fill, reason, within=20)
        await asyncio.sleep(0.35)
    assert "infill-ls doctor" in refused.message
    assert isinstance(await client.fill(infill()), Done)
    fill = await stepping(client, infill("a", LONG))
    os.kill((await status_of(client)).pid, signal.SIGKILL)
    await check_refused(fill, "worker-lost", within=20)


async def test_the_real_model_runs_out_of_memory_and_is_then_killed(make: Make, model: Path) -> None:
    client = make(str(model), device="cpu")
    client.flags = ()
    assert isinstance(await client.fill(tiny_request()), Done)
    pid = (await status_of(client)).pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_AS)
    limit = psutil.Process(pid).memory_info().vms + SPARE
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, unlimited[1]))
    greedy = Infill(1, "d", "x = 1\n" * 2000, (Fixed("y = "), Slot(40), Fixed("\n")), candidates=4096, seed=1)
    refused = await check_refused(asyncio.ensure_future(client.fill(greedy)), "failed", within=20)
    assert "memory" in refused.message
    resource.prlimit(pid, resource.RLIMIT_AS, unlimited)
    assert isinstance(await client.fill(tiny_request()), Done)
    assert (await status_of(client)).pid == pid
    fills = [asyncio.create_task(client.fill(tiny_request(i))) for i in range(8)]
    await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.wait_for(asyncio.gather(*fills), 20)
    assert [answer.id for answer in answers] == list(range(8))
    assert any(isinstance(answer, Refused) for answer in answers)
    assert isinstance(await asyncio.wait_for(client.fill(tiny_request()), 30), Done)


async def test_the_model_folder_is_deleted_underneath(make: Make, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(model, folder)
    client = make(str(folder), device="cpu", idle_minutes=1.5 / 60)
    client.flags = ()
    assert isinstance(await client.fill(tiny_request()), Done)
    shutil.rmtree(folder)
    assert isinstance(await client.fill(tiny_request()), Done), "what is in memory is enough"
    await status_when(client, lambda status: status.state == "unloaded")
    refused = await check_refused(asyncio.ensure_future(client.fill(tiny_request())), "failed", within=20)
    assert str(folder) in refused.message


@contextmanager
def rogue(code: str) -> Iterator[None]:
    """A client process that connects as `s`, runs `code`, and is killed at the end."""
    script = f"""
import socket, sys, time
from model_runtime import protocol
from tests.support.fakes import infill
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(protocol.pack(protocol.Hello()))
{code}
print("sent", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script, str(protocol.endpoint_path(protocol.Choice(model="fake")))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def fill_up(folder: Path) -> None:
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    with tmpfs(disk, "64k"):
        monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(disk))
        with pytest.raises(OSError, match="space"):
            fill_up(disk)
        client = make()
        assert isinstance(await client.fill(infill()), Done)
        assert isinstance(await client.fill(infill("a", "raise=boom")), Refused)  # logs
        os.kill((await status_of(client)).pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        assert isinstance(await client.fill(infill()), Done)
        assert client.log_path.stat().st_size == 0
        end_processes(worker_processes(disk))
        await client.close()


async def test_no_file_may_grow(make: Make) -> None:
    client = make()
    client.limits = "ulimit -f 0"
    assert isinstance(await client.fill(infill()), Done)
    assert isinstance(await client.fill(infill("a", "raise=boom")), Refused)
    assert isinstance(await client.fill(infill()), Done)


async def test_a_half_written_message_and_a_client_that_vanishes(make: Make) -> None:
    client = make()
    assert isinstance(await client.fill(infill()), Done)
    half = f"s.sendall(protocol.pack(infill('v', {LONG!r})) + protocol.pack(infill('w', id=2))[:-5])"
    with rogue(half):
        await status_when(client, lambda status: status.clients == 2)
    began = time.monotonic()
    assert isinstance(await client.fill(infill("b")), Done), "the engine is free again"
    assert time.monotonic() - began < 2
    assert (await status_when(client, lambda status: status.clients == 1)).queued == 0


async def test_a_client_that_stops_reading(make: Make) -> None:
    client = make()
    assert isinstance(await client.fill(infill()), Done)
    before = (await status_of(client)).memory_bytes
    text = "text=' + 'x' * 1_000_000, id=n"
    with rogue(f"for n in range(14):\n    s.sendall(protocol.pack(infill(str(n), '{text})))"):
        for number in range(20):
            assert isinstance(await client.fill(infill("mine", id=number)), Done)
        status = await status_when(client, lambda status: status.clients == 1)
        assert status.memory_bytes - before < 100e6
