"""`--calibrate`: the real worker in front of a server that is right in a known share of cases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evaluation import __main__ as command
from evaluation import calibrate
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.remote.loading import load
from model_runtime.retrieval import scaling
from tests.evaluation.examples import write
from tests.support.servers import started
from tests.support.worker_status import STATUS

RIGHT, ALL = 18, 60  # places where the server's one answer is right


def places(count: int) -> list[dict[str, Any]]:
    def one(number: int) -> dict[str, Any]:
        middle = "1" if number < count * RIGHT // ALL else "count + 1"
        text = {"before": f"def f{number}(count):\n    total = ", "middle": middle}
        return {"kind": "end-of-line", "project": "p", "path": f"{number}.py", "after": "\n", **text}

    return [one(number) for number in range(count)]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(scaling.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_server_is_calibrated(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it claims afterwards is the share that is right; a second time changes nothing of it."""
    data = write(folders / "holes.jsonl", *places(ALL))
    request = Infill(0, "", "", (Fixed("total = "), Slot(8), Fixed("\n")))
    with started("--has", "suffix", module="tests.support.text_server") as server:
        choice = Choice(backend="openai", url=server.url)
        arguments = ["--calibrate", "--backend", "openai", "--backend-url", server.url, str(data)]
        claimed = [confidence(load(choice), request)]
        for _ in range(2):
            assert command.main(arguments) == 0
            engine = load(choice)
            assert engine.calibrated == "fitted"
            claimed.append(confidence(engine, request))
    assert claimed[0] == pytest.approx(0.905, abs=0.001), "what the server says of its text"
    assert claimed[1:] == pytest.approx([RIGHT / ALL] * 2, abs=0.05)
    assert f"calibrated on {ALL} suggestions" in capsys.readouterr().err


def confidence(engine: Any, request: Infill) -> float:
    steps = engine.fill(request)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value.confidence


def test_too_few_holes_calibrate_nothing(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(folders / "holes.jsonl", *places(3))
    with started("--has", "suffix", module="tests.support.text_server") as server:
        arguments = ["--calibrate", "--backend", "openai", "--backend-url", server.url, str(data)]
        assert command.main(arguments) == 1
        assert scaling.load(Choice(backend="openai", url=server.url)) is None
    assert "at least 50 are needed" in capsys.readouterr().err


@dataclass
class Stopped:
    """A worker, and what was done with it, in order."""

    calibrated: Any
    done: list[str] = field(default_factory=list)

    @property
    def worker(self) -> Stopped:
        return self

    async def stop(self) -> bool:
        self.done.append("stop")
        return True

    async def start(self) -> str:
        self.done.append("start")
        return ""

    async def status(self) -> Any:
        return replace(STATUS, calibrated=self.calibrated)


@pytest.mark.parametrize(("calibrated", "refused"), [("model", True), ("fitted", False), ("none", False)])
def test_a_model_with_a_calibration_of_its_own_is_left_alone(calibrated: str, refused: bool) -> None:
    shipped: Any = Stopped(calibrated)
    if refused:
        with pytest.raises(calibrate.CannotCalibrate, match="of its own"):
            asyncio.run(calibrate.begin(shipped))
    else:
        asyncio.run(calibrate.begin(shipped))
    assert shipped.done == ["stop", "start"], "a worker that runs may have read older numbers"
