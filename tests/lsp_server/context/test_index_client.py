"""The client of the reader process, with real processes: started when needed, replaced, given up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsp_server.config.file_filter import Rules
from lsp_server.context import index_client
from lsp_server.context.index_client import TRIES, IndexClient
from lsp_server.context.index_process import Answer, Look, Scan, Scanned
from lsp_server.context.outline import Outline
from tests.support.fakes import eventually

SECONDS = 80.0  # for a process to start and answer


class Reader:
    """A client, and what it is called back with."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.losses = 0
        self.client = IndexClient(self.answers.append, self._lost)

    def _lost(self) -> None:
        self.losses += 1

    def ask(self, key: str) -> None:
        self.client.ask(Look(Rules(), key, "", "python", "def f(): ...\n"))

    async def answered(self, *keys: str) -> None:
        await eventually(lambda: len(self.answers) >= len(keys), SECONDS)
        assert [each.key for each in self.answers if isinstance(each, Outline)] == list(keys)

    @property
    def process(self) -> psutil.Process:
        assert self.client._process
        return psutil.Process(self.client._process.pid)

    async def ended(self) -> None:
        assert self.client._serving
        await asyncio.wait_for(asyncio.wait([self.client._serving]), SECONDS)


def start_instead(monkeypatch: pytest.MonkeyPatch, code: str | None) -> list[int]:
    """Have Python code run instead of the reader process, or have the start fail. Counts the starts."""
    monkeypatch.setattr(index_client, "START_S", 0.0)
    real, starts = asyncio.create_subprocess_exec, list[int]()

    async def start(*command: str, **options: Any) -> asyncio.subprocess.Process:
        starts.append(1)
        if code is None:
            raise FileNotFoundError(2, "no such program")
        return await real(sys.executable, "-c", code, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    return starts


async def test_answers_in_the_order_asked() -> None:
    it = Reader()
    for key in ("a", "b"):
        it.ask(key)
    await it.answered("a", "b")
    it.ask("c")
    await it.answered("a", "b", "c")
    process = it.process
    await it.client.close()
    assert not process.is_running()
    assert it.losses == 0


async def test_an_idle_process_ends_and_the_next_request_starts_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_client, "IDLE_S", 0.0)
    it = Reader()
    it.ask("a")
    await it.answered("a")  # its input was closed at once, and still it answers
    await it.ended()
    it.ask("b")
    await it.answered("a", "b")
    await it.ended()
    assert it.losses == 0


async def test_a_process_that_is_killed_is_replaced() -> None:
    it = Reader()
    it.ask("a")
    await it.answered("a")
    it.process.kill()
    await it.ended()
    assert it.losses == 1
    it.ask("b")
    await it.answered("a", "b")
    await it.client.close()


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('odd')", "print('{}')"])
async def test_after_some_failures_no_more_are_started(
    code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = start_instead(monkeypatch, code)
    it = Reader()
    for _ in range(TRIES + 2):
        it.ask("a")
        await it.ended()
    assert (len(starts), it.losses, it.answers) == (TRIES, TRIES, [])
    assert "0 tries left" in caplog.text
    assert f"failed {TRIES} times" in it.client.fault


async def test_one_that_cannot_be_started_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = start_instead(monkeypatch, None)
    it = Reader()
    for _ in range(2):
        it.ask("a")
        await it.ended()
    assert (len(starts), it.losses) == (1, 1)
    assert "other files are not read" in caplog.text
    assert "cannot be started" in it.client.fault


async def test_failures_count_only_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Reader()
    for number in range(TRIES + 1):
        it.ask(str(number))
        await eventually(lambda number=number: len(it.answers) > number, SECONDS)
        it.process.kill()
        await it.ended()
    assert (it.losses, it.client.fault) == (TRIES + 1, "")


async def test_what_is_asked_while_an_idle_process_ends_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Reader()
    it.ask("a")
    await it.answered("a")
    process = it.client._process
    assert process
    it.client._leave(process)  # as after IDLE_S
    it.ask("b")  # before its exit is known of
    await it.answered("a", "b")
    assert it.losses == 0
    await it.client.close()


async def test_a_process_does_not_end_while_it_scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even one that has nothing to say for long."""
    monkeypatch.setattr(index_client, "IDLE_S", 0.0)
    for n in range(300):
        (tmp_path / f"{n}.py").write_text("x = 1\n")
    it = Reader()
    it.client.ask(Scan(Rules(languages=("python",), roots=(str(tmp_path),))))
    await eventually(lambda: any(isinstance(each, Scanned) for each in it.answers), SECONDS)
    assert it.losses == 0
    await it.ended()
