"""What all tests share: workers of their own, away from the user's, that end with the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from model_runtime.network import threads

threads.configure()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where the engine's tests put the model: cpu or cuda")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--device"))


def worker_processes(runtime_dir: Path) -> list[psutil.Process]:
    """The worker processes that serve under `runtime_dir`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if any("model_runtime" in word for word in process.cmdline()) and process.environ().get(
                "INFILL_LS_RUNTIME_DIR"
            ) == str(runtime_dir):
                found.append(process)
        except psutil.Error:  # ended meanwhile, or not ours to look at
            continue
    return found


def end_processes(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


@contextmanager
def private_workers() -> Iterator[Path]:
    """A new INFILL_LS_RUNTIME_DIR, whose workers end with it; a short path, for the sake of Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="infill-", dir="/tmp" if os.name == "posix" else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFILL_LS_RUNTIME_DIR", str(path))
        try:
            yield path
        finally:
            end_processes(worker_processes(path))
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def runtime_dir() -> Iterator[Path]:
    """The folder of the workers that tests share."""
    with private_workers() as path:
        yield path


@pytest.fixture
def workers(runtime_dir: Path) -> Callable[[], list[psutil.Process]]:
    """Finds the worker processes that this run's tests have started."""
    return lambda: worker_processes(runtime_dir)
