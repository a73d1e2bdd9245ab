"""The real worker with a tiny random model: what clients abandon leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Choice, Done, Fixed, Infill, Slot, Status
from tests.conftest import end_processes, worker_processes
from tests.support import tiny

CANCELLED = 500
EMBEDDED_DOCUMENTS = 20
EMBEDDED_BYTES = 450e6  # RSS
PREFIX = "".join(f"value_{i} = compute({i})\n" for i in range(60))


@pytest.fixture
async def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    tiny.write_folder(tmp_path / "model")
    client = Worker(Choice(model=str(tmp_path / "model"), device="cpu"))
    yield client
    await client.close()
    end_processes(worker_processes(tmp_path))


def request(i: int) -> Infill:
    canvas = (Fixed(f"value_{i} = "), Slot(16), Fixed("\n"))
    return Infill(id=0, document=f"file{i % 7}", prefix=PREFIX, canvas=canvas)


async def memory(worker: Worker) -> int:
    status = await worker.status()
    assert isinstance(status, Status)
    assert status.queued == 0
    return status.memory_bytes


async def test_cancelled_requests_leave_memory_where_it_was(worker: Worker) -> None:
    for i in range(40):
        assert isinstance(await worker.fill(request(i)), Done)
    before = await memory(worker)
    for i in range(CANCELLED):
        asked = asyncio.ensure_future(worker.fill(request(i)))
        await asyncio.sleep(0.002 * (i % 5))  # cancelled in the queue, in a step, between two
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(await worker.fill(request(0)), Done)
    assert await memory(worker) < before * 1.05


async def test_the_embedded_model_stays_within_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents of all lengths, until the prefix cache is full. `benchmarks/worker_memory.py` has the figure;
    the bound is that plus what other machines' libraries may add."""
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    client = Worker(Choice(device="cpu"))
    line = "def compute_{0}(self, value_{0}: int) -> int: return self.total + value_{0}\n"
    try:
        for i in range(EMBEDDED_DOCUMENTS):
            prefix = "".join(line.format(f"{i}_{j}") for j in range(5 + 5 * (i % 10)))
            canvas = (Fixed(f"def compute_{i}(self, value: "), Slot(32), Fixed("\n"))
            answer = await client.fill(Infill(id=0, document=f"file{i}", prefix=prefix, canvas=canvas))
            assert isinstance(answer, Done), answer
        assert await memory(client) < EMBEDDED_BYTES
    finally:
        await client.close()
        end_processes(worker_processes(tmp_path))
