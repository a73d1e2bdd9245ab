"""The short version of benchmarks/soak.py: real servers, one worker, kills; latency is not judged here."""

from __future__ import annotations

import sys

import pytest

from benchmarks import soak, soak_load


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_short_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", "")  # put back afterwards: the soak sets its own
    monkeypatch.setattr(soak_load, "KILL_S", 1.5)
    result = soak.soak(soak.parse(["--seconds=20", "--editors=4", "--rate=24"]))
    assert [problem for problem in result["problems"] if not problem.startswith("p95")] == []
    assert result["asked"] > 200
    assert result["answers"]["offered"] > 50
    assert result["worker_kills"] >= 1
