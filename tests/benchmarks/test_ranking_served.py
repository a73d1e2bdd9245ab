from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import ranking_served
from model_runtime.training.calibrate import Outcome


def record(number: int, known: bool) -> str:
    """A hole with two texts. The one that is right is scored higher where that is `known`."""
    right = [number % 2 == 0, number % 2 == 1]
    candidates = [{"text": text, "ids": [9]} for text in "ab"]
    scores = [[[-0.1 if each or not known else -9.0], []] for each in right]
    names = {"project": "p", "path": str(number), "kind": "span", "before": "", "middle": "", "after": ""}
    return json.dumps(names | {"candidates": candidates, "scores": scores, "right": right}) + "\n"


def test_the_side_that_knows_more_is_right_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, served, out = (tmp_path / name for name in ("here", "served", "out"))
    here.write_text("".join(record(number, known=True) for number in range(40)))
    served.write_text("".join(record(number, known=False) for number in range(8, 40)))
    monkeypatch.setattr("sys.argv", ["x", "--here", str(here), "--served", str(served), "--json", str(out)])
    assert ranking_served.main() == 0
    result = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == result
    assert result["holes"] == 32, "those that both have"
    assert result["here"]["span"]["exact"] == result["here"]["span"]["right_if_shown"] == 1.0
    assert result["served"]["span"]["exact"] == 0.5


def test_nothing_shown_is_not_a_share() -> None:
    found = ranking_served.summary([Outcome(0.1, True), Outcome(0.2, False)], 0.25)
    assert found == {"holes": 2, "exact": 0.5, "shown": 0, "right_if_shown": None}
