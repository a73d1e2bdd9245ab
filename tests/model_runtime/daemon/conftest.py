"""Workers for the tests of sockets and life cycle, killed when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon


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
