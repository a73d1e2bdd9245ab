"""The client with real daemons: starts them, shares them, loses them, and always gets one answer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from lsp_server.worker_client import health, launch
from lsp_server.worker_client.client import Worker
from model_runtime import protocol
from model_runtime.protocol import Choice, Done, Draft, Fixed, Refused, Status, Texts
from tests.conftest import end_processes, worker_processes
from tests.support.fakes import eventually, infill
from tests.support.paths import ROOT

pytestmark = pytest.mark.timeout(40)
LONG = "steps=10000 wait=0.01"


class FakeWorker(Worker):
    flags: tuple[str, ...] = ("--engine=tests.support.fakes:load_engine",)

    def _command(self, endpoint: Path) -> list[str]:
        return [*super()._command(endpoint), *self.flags]


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., FakeWorker]]:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    made: list[FakeWorker] = []

    def make(model: str = "fake", backend: str = "local", **options) -> FakeWorker:
        made.append(FakeWorker(Choice(model=model, backend=backend), **options))
        return made[-1]

    yield make
    for each in made:
        await each.close()
    end_processes(worker_processes(tmp_path))


async def pid_of(client: Worker) -> int:
    status = await client.status()
    assert isinstance(status, Status), status
    return status.pid


async def kill(client: Worker) -> None:
    pid = await pid_of(client)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not psutil.pid_exists(pid))  # never, if nobody reaps it
    # Over TCP the client hears of it a moment later; until then a request would be answered "worker-lost".
    await eventually(lambda: client._connection is None or not client._connection.usable)


async def started(client: Worker, request: protocol.Infill) -> asyncio.Task[Done | Refused]:
    """A fill that has made its first step."""
    stepping = asyncio.Event()
    task = asyncio.create_task(client.fill(request, lambda _: stepping.set()))
    await asyncio.wait_for(stepping.wait(), 10)
    return task


def containing(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and text in path.read_bytes()]


def reason(answer: object) -> str:
    assert isinstance(answer, Refused), answer
    return answer.reason


async def test_starts_a_daemon_and_fills(make: Callable[..., FakeWorker], tmp_path: Path) -> None:
    client = make()
    began = time.monotonic()
    drafts: list[Draft] = []
    done = await client.fill(infill("doc", "steps=3", id=42), drafts.append)
    assert time.monotonic() - began < 5
    assert isinstance(done, Done)
    assert (done.id, done.texts) == (42, ("doc",))
    assert [(draft.id, draft.step) for draft in drafts] == [(42, 1), (42, 2), (42, 3)]
    [process] = worker_processes(tmp_path)
    assert process.pid == await pid_of(client)
    assert os.getsid(process.pid) == process.pid, "a signal to the editor's group must not reach it"
    assert client.log_path.parent == tmp_path
    assert "listens at" in client.log_path.read_text()


async def test_the_users_code_is_not_in_the_log(make: Callable[..., FakeWorker], tmp_path: Path) -> None:
    client = make()
    assert isinstance(await client.fill(infill("secret-a", canvas=(Fixed("secret-b"),))), Done)
    assert reason(await client.fill(infill("secret-c", "raise=secret-d"))) == "failed"
    assert reason(await client.fill(infill("secret-e", "refuse=secret-f"))) == "invalid"
    assert containing(tmp_path, b"listens at") == [client.log_path]
    assert containing(tmp_path, b"secret") == []


async def test_two_clients_that_start_together_share_one_daemon(
    make: Callable[..., FakeWorker], tmp_path: Path
) -> None:
    clients = [make() for _ in range(4)]
    answers = await asyncio.gather(*(client.fill(infill()) for client in clients))
    assert all(isinstance(answer, Done) for answer in answers)
    assert len({await pid_of(client) for client in clients}) == 1
    assert len(worker_processes(tmp_path)) == 1


async def test_processes_that_start_together_share_one_daemon(
    make: Callable[..., FakeWorker], tmp_path: Path
) -> None:
    code = (
        "import asyncio; from tests.lsp_server.worker_client.test_client import Choice, FakeWorker; "
        "from tests.support.fakes import infill\n"
        "print(asyncio.run(FakeWorker(Choice(model='fake')).fill(infill())).steps)"
    )
    command = [sys.executable, "-c", code]
    outputs = await asyncio.gather(
        *(asyncio.to_thread(subprocess.check_output, command, cwd=ROOT, timeout=20) for _ in range(3))
    )
    assert outputs == [b"1\n"] * 3
    assert len(worker_processes(tmp_path)) == 1
    assert isinstance(await make(start=False).status(), Status), "outlives those who started it"


async def test_killed_in_the_middle_of_fills(make: Callable[..., FakeWorker]) -> None:
    client, other = make(), make()
    running = [await started(client, infill("a", LONG, id=1))]
    running.append(asyncio.create_task(client.fill(infill("b", LONG, id=2))))
    running.append(asyncio.create_task(other.fill(infill("c", LONG, id=3))))
    await asyncio.sleep(0.1)
    pid = await pid_of(client)
    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.wait_for(asyncio.gather(*running), 5)
    assert [(answer.id, reason(answer)) for answer in answers] == [
        (number, "worker-lost") for number in (1, 2, 3)
    ]
    assert isinstance(await client.fill(infill()), Done)
    assert isinstance(await other.fill(infill()), Done)
    assert await pid_of(client) == await pid_of(other) != pid


async def test_killed_between_fills_goes_unnoticed(make: Callable[..., FakeWorker]) -> None:
    client = make()
    for _ in range(3):
        assert isinstance(await client.fill(infill()), Done)
        await kill(client)


async def test_a_daemon_that_keeps_dying_is_restarted_ever_less_eagerly(
    make: Callable[..., FakeWorker], tmp_path: Path
) -> None:
    client = make()
    for _ in range(2):
        task = await started(client, infill("a", LONG))
        os.kill(await pid_of(client), signal.SIGKILL)
        assert reason(await task) == "worker-lost"
    answer = await client.fill(infill())
    assert reason(answer) == "worker-lost"
    assert str(client.log_path) in answer.message  # type: ignore[union-attr]
    assert worker_processes(tmp_path) == []
    await asyncio.sleep(health.BACK_OFF_S[1])
    assert isinstance(await client.fill(infill()), Done)


async def test_a_daemon_that_cannot_start_says_why_and_where_to_look(
    make: Callable[..., FakeWorker],
) -> None:
    client = make()
    client.flags = ("--no-such-flag",)
    began = time.monotonic()
    answers = [await client.fill(infill()) for _ in range(3)]
    assert time.monotonic() - began < 3
    for answer in answers:
        assert reason(answer) == "worker-lost"
        assert "--no-such-flag" in answer.message  # type: ignore[union-attr]
        assert str(client.log_path) in answer.message  # type: ignore[union-attr]
    await client.prepare()  # does not raise either


async def test_cancelling_the_caller_cancels_the_fill(make: Callable[..., FakeWorker]) -> None:
    client = make()
    task = await started(client, infill("a", LONG))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = await client.fill(infill("b", deadline_ms=3000))
    assert isinstance(done, Done), "the engine is free again"


async def test_cancelling_while_the_daemon_starts(make: Callable[..., FakeWorker], tmp_path: Path) -> None:
    client = make()
    task = asyncio.create_task(client.fill(infill()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await client.fill(infill()), Done)
    assert len(worker_processes(tmp_path)) == 1


async def test_supersede_and_deadline(make: Callable[..., FakeWorker]) -> None:
    client = make()
    older = await started(client, infill("a", LONG, id=1))
    newer = asyncio.create_task(client.fill(infill("a", LONG, id=1, deadline_ms=300)))
    assert reason(await older) == "superseded"
    done = await newer
    assert isinstance(done, Done)
    assert not done.complete


async def test_the_deadline_covers_starting_and_loading(make: Callable[..., FakeWorker]) -> None:
    client = make("slow:1.5")
    for deadline_ms in (1, 600):
        began = time.monotonic()
        assert reason(await client.fill(infill(deadline_ms=deadline_ms))) == "loading"
        assert time.monotonic() - began < deadline_ms / 1000 + 0.3
    assert isinstance(await client.fill(infill(deadline_ms=5000)), Done)


async def test_without_a_model(make: Callable[..., FakeWorker]) -> None:
    answer = await make("broken").fill(infill())
    assert reason(answer) == "failed"
    assert "no such model" in answer.message  # type: ignore[union-attr]


@pytest.mark.parametrize("prefix", ["x" * (protocol.MAX_FRAME + 1), "\ud800"], ids=["giant", "surrogate"])
async def test_text_that_cannot_be_sent(make: Callable[..., FakeWorker], prefix: str) -> None:
    client = make()
    assert reason(await client.fill(infill("a", prefix))) == "invalid"
    assert isinstance(await client.fill(infill()), Done)


async def test_a_draft_handler_that_raises_costs_nothing(make: Callable[..., FakeWorker]) -> None:
    def broken(_draft: Draft) -> None:
        raise ValueError

    assert isinstance(await make().fill(infill(), broken), Done)


async def test_status_and_stop_start_nothing(make: Callable[..., FakeWorker], tmp_path: Path) -> None:
    client, bystander = make(), make(start=False)
    assert reason(await client.status()) == "worker-lost"
    assert not await client.stop()
    assert reason(await bystander.fill(infill())) == "worker-lost"
    assert worker_processes(tmp_path) == []
    await client.prepare()
    assert isinstance(await bystander.status(), Status)
    assert isinstance(await bystander.fill(infill()), Done)


async def test_what_became_of_suggestions_is_counted_in_the_worker(make: Callable[..., FakeWorker]) -> None:
    client, other = make(), make()
    client.feedback(shown=1)  # nobody there: nothing happens
    assert isinstance(await client.fill(infill()), Done)
    assert isinstance(await other.fill(infill()), Done)
    client.feedback(shown=2)
    other.feedback(shown=1, accepted=1)
    for each in (client, other):
        status = await each.status()
    assert isinstance(status, Status)
    assert (status.shown, status.accepted) == (3, 1)


@pytest.mark.parametrize(("backend", "sent"), [("local", True), ("vllm", True), ("openai", False)])
async def test_texts_are_for_workers_that_compose_drafts(
    make: Callable[..., FakeWorker], backend: str, sent: bool
) -> None:
    """They stay on this machine: a worker that asks a vLLM server composes here, too."""
    client = make(backend=backend)
    client.tell(Texts("w", "python", {"f": "x"}))  # nobody there: nothing happens
    assert isinstance(await client.fill(infill()), Done)
    told: list[object] = []
    assert client._connection
    client._connection.send = told.append  # type: ignore[method-assign]
    client.tell(texts := Texts("w", "python", {"f": "x"}))
    assert told == ([texts] if sent else [])


async def test_an_older_daemon_is_replaced(
    make: Callable[..., FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = make(), make()
    assert isinstance(await older.fill(infill()), Done)
    pid = await pid_of(older)
    monkeypatch.setattr(protocol, "VERSION", protocol.VERSION + 1)
    with pytest.raises(launch.LaunchError, match="version"):
        await launch.connect(newer._endpoint())
    assert await launch.connect(newer._endpoint(), replace=True) is None
    await eventually(lambda: not psutil.pid_exists(pid))


async def test_stop_and_start_again(make: Callable[..., FakeWorker], tmp_path: Path) -> None:
    client, other = make(), make()
    task = await started(other, infill("a", LONG))
    pid = await pid_of(client)
    assert await client.stop()
    assert reason(await task) == "stopping"
    await eventually(lambda: not worker_processes(tmp_path))  # its lock goes a moment before the process
    assert isinstance(await client.fill(infill()), Done)
    assert await pid_of(client) != pid


async def test_an_idle_daemon_leaves_and_the_next_fill_starts_another(
    make: Callable[..., FakeWorker], tmp_path: Path
) -> None:
    client = make(idle_minutes=0.005)
    assert isinstance(await client.fill(infill()), Done)
    pid = await pid_of(client)
    await eventually(lambda: not worker_processes(tmp_path))
    assert isinstance(await client.fill(infill()), Done)
    assert await pid_of(client) != pid


async def test_a_daemon_of_another_version_is_named(make: Callable[..., FakeWorker]) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(protocol.pack(protocol.Hello(version=protocol.VERSION + 1)))
        await reader.read()
        writer.close()

    client = make()
    async with await asyncio.start_unix_server(stranger, protocol.endpoint_path(Choice(model="fake"))):
        answer = await client.fill(infill())
    assert "version" in answer.message  # type: ignore[union-attr]


async def test_a_daemon_that_answers_garbage_is_lost(make: Callable[..., FakeWorker]) -> None:
    async def babbler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(protocol.pack(protocol.Hello()))
        await protocol.read_frame(reader)
        await protocol.read_frame(reader)
        writer.write(b"\0\0\0\3abc")
        await reader.read()
        writer.close()

    client = make()
    async with await asyncio.start_unix_server(babbler, protocol.endpoint_path(Choice(model="fake"))):
        assert reason(await client.fill(infill())) == "worker-lost"


async def test_a_runtime_folder_that_others_can_write_to(
    make: Callable[..., FakeWorker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(shared))
    answer = await make().fill(infill())
    assert reason(answer) == "worker-lost"
    assert "chmod" in answer.message  # type: ignore[union-attr]


async def test_over_loopback(make: Callable[..., FakeWorker]) -> None:
    client = make()
    client.flags = (*FakeWorker.flags, "--loopback")
    assert isinstance(await client.fill(infill()), Done)
    await kill(client)
    assert isinstance(await client.fill(infill()), Done), "a stale file is replaced"
    assert await client.stop()


async def test_close_refuses_what_waits_and_leaves_the_daemon(
    make: Callable[..., FakeWorker], tmp_path: Path
) -> None:
    client = make()
    task = await started(client, infill("a", LONG))
    await client.close()
    assert reason(await task) == "worker-lost"
    assert len(worker_processes(tmp_path)) == 1


@pytest.mark.parametrize(
    ("model", "expected"),
    [("embedded", "embedded"), ("org/name", "org/name"), ("./m", "{cwd}/m"), ("~/m", "{home}/m")],
)
def test_only_explicit_paths_are_made_absolute(model: str, expected: str) -> None:
    found = Worker(Choice(model=model))._command(Path("e"))[5]
    assert found == "--model=" + expected.format(cwd=Path.cwd(), home=Path.home())


def test_importing_it_is_light() -> None:
    code = (
        "import sys, lsp_server.worker_client.client; "
        "print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert out.stdout == "set()\n", out.stderr
