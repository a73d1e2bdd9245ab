"""Two checkouts that fill beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import fill_speed

ROOT = Path(__file__).parent.parent.parent


def test_a_checkout_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    assert fill_speed.main([str(ROOT), "--places", "1", "--json", str(out)]) == 0
    told = json.loads(out.read_text())
    for state in ("warm", "cold"):
        for what in fill_speed.MEASURES:
            here, there = told[state]["here"][what], told[state]["there"][what]
            assert told[state]["ratio"][what] == pytest.approx(here / there)
    assert told["cold"]["here"]["processor"] > told["warm"]["here"]["processor"]
    assert "| warm, wall |" in capsys.readouterr().out
