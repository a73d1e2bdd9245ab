"""A run's row of the curve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import training_progress
from benchmarks.holes import Hole, Place, write
from model_runtime.training import loader, loop, source, token_file
from model_runtime.training.plan import Plan
from tests.model_runtime.training.test_token_file import packed
from tests.support import tiny


def test_a_run_is_measured_on_what_its_settings_do_not_change(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def drawing(folder: Path, plan: Plan, held_out: bool) -> source.Drawing:
        asked.append((plan.context, plan.drafts))
        return source.Drawing(folder, plan, held_out)

    monkeypatch.setattr(training_progress, "Drawing", drawing)
    run, data = tmp_path / "run", tmp_path / "data"
    opened = token_file.open_packed(packed(tmp_path / "corpus.xz"), run / source.TOKENS)
    size = opened.tokenizer.get_vocab_size()
    rows = []
    for holes in (1, 3):
        plan = Plan("tiny", size, rows=1, canvases=4, causal_steps=0, holes=holes)
        trainer = loop.Trainer(plan, run, "cpu", compiled=False)
        steps = loader.Steps(source.Drawing(opened.folder, plan), plan)
        if holes == 1:
            trainer.step(steps[0], 1.0)
        trainer.save(run / loop.TRUNK)
        again = loop.Trainer(plan, run, "cpu", compiled=False)
        again.load(run / loop.TRUNK)
        rows.append(training_progress.losses(again, run))
    plain = {"val_causal", "val_canvas", "val_answer"}
    assert rows[0].keys() == rows[1].keys() == plain | {"val_causal_with_context", "val_canvas_with_drafts"}
    assert asked == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)] * 2
    assert rows[0] != rows[1]

    project = data / "dev" / "python" / "p"
    project.mkdir(parents=True)
    (project / "a.py").write_text(tiny.SOURCE)
    at = tiny.SOURCE.index("\n", 40)
    write(data / "dev" / "python.jsonl.gz", [Place("end-of-line", "python", "p", "a.py", at - 3, at)])
    out = tmp_path / "curve.jsonl"
    assert training_progress.main([str(run), "--data", str(data), "--json", str(out)]) == 0
    told = json.loads(out.read_text())
    assert told["plan"]["holes"] == 3
    assert told["exact"] == {"denoiser": {"end-of-line": 0.0}, "causal": {"end-of-line": 0.0}}
    assert told["val_canvas"] == rows[1]["val_canvas"]
    assert capsys.readouterr().out.count("|") == 12


def test_holes_are_spread_over_projects() -> None:
    found = [Hole("span", "python", name, "a.py", "", str(i), "") for name in "ab" for i in range(10)]
    assert [(hole.project, hole.middle) for hole in training_progress.chosen(found, 4)] == [
        ("a", "0"),
        ("a", "5"),
        ("b", "0"),
        ("b", "5"),
    ]
