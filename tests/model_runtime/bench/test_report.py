"""Statistics of runs, and what is told of them: JSON, table, chart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_runtime.bench import cases, chart, report
from model_runtime.bench.race import Outcome
from model_runtime.bench.runs import Run

PNG = b"\x89PNG\r\n\x1a\n"
WHERE = {"hardware": "a machine", "model": "m", "torch": "2", "transformers": "5", "date": "today"}


def outcome(setting: cases.Setting, ms: float) -> Outcome:
    times = {cases.COLD: 2 * ms, cases.WARM: ms, cases.STOCK: 10 * ms, cases.FEWEST: 3 * ms}
    return Outcome(setting, setting, {name: [Run(t, 4, 5, 1000)] * 3 for name, t in times.items()})


def test_statistics_table_and_chart(tmp_path: Path) -> None:
    outcomes = [outcome(setting, 10.0 * setting.candidates) for setting in cases.settings()]
    outcomes[1].notes.append("hole cut")
    reached = {"dtype": "int8", "gflops": 200.0, "step_ms": 20.0, "step_gflop": 2.0, "share": 0.5}
    result = report.as_json(outcomes, "static cache", WHERE | {"peak": reached})
    assert result["warm"]["ratio_to_generate"] == 10
    assert result["warm"]["ratio_to_strongest"] == 3
    assert (result["warm"]["forwards"], result["warm"]["ms_per_forward"]) == (5, 2)
    assert result["warm"]["tokens_per_s"] == 3200
    assert result["growth"]["candidates"]["warm"] == 8
    assert result["growth"]["hole"]["warm"] == 1
    assert "candidates from 1 to 8: engine, warm x8.00" in report.table(result)
    assert "note: hole cut" in report.table(result)
    assert "50% of the 200 GFLOP/s that a large product in int8 reaches here" in report.table(result)
    chart.draw(result, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)
    json.dumps(result)


@pytest.mark.parametrize(("values", "expected"), [([5.0], 5.0), ([1.0, 3.0], 2.8), (list(range(11)), 9.0)])
def test_p90(values: list[float], expected: float) -> None:
    assert report.p90(values) == pytest.approx(expected)
