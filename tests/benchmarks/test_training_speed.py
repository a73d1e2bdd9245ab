"""Two checkouts that train beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import training_speed

ROOT = Path(__file__).parent.parent.parent


def test_a_checkout_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    assert training_speed.main([str(ROOT), "--steps", "1", "--size", "tiny", "--json", str(out)]) == 0
    told = json.loads(out.read_text())
    assert told["here"]["losses"] == told["there"]["losses"]
    (first, _), (second, _) = told["here"]["losses"]
    assert first != second
    assert told["ratio"] == pytest.approx(told["there"]["seconds"] / told["here"]["seconds"])
    assert "times as fast" in capsys.readouterr().out
