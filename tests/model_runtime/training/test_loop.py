"""Runs whose loss falls, that resume and are exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_runtime.loading import model
from model_runtime.protocol import Choice
from model_runtime.training import card, corpus, export, held_out, loop
from model_runtime.training.plan import Plan
from tests.model_runtime.training.examples import maker
from tests.support import tiny


def test_a_run_learns_resumes_and_exports(tmp_path: Path) -> None:
    plan = Plan("tiny", 600, rows=1, canvases=2, warmup=2, causal_steps=4)
    source = maker()
    trainer = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    drawn = [source.draw(i, 1, 2 if i >= 4 else 0, 96, 128) for i in range(16)]
    reports = [trainer.step(batch, 1.0) for batch in drawn]
    assert "canvas" not in reports[0]
    assert reports[-1]["causal"] < reports[0]["causal"] - 0.5
    assert reports[-1]["canvas"] < reports[4]["canvas"]
    trainer.save(tmp_path / "checkpoint.pt")

    again = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    again.load(tmp_path / "checkpoint.pt")
    batch = source.draw(16, 1, 2, 96, 128)
    assert again.step(batch, 1.0) == trainer.step(batch, 1.0)

    documents = [corpus.Document(name, "MIT", "a.py", tiny.SOURCE) for name in ("flask", "rich")]
    both = documents, documents
    only = ("shipped", "denoiser-1")
    cut = list(held_out.holes(documents, 1))
    out = tmp_path / "out"
    export.export(tmp_path / "checkpoint.pt", tiny.tokenizer(), out, both, (cut, cut), "a test", only)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| denoiser alone, 1 step " in card
    assert "| brackets | 1 |" in card
    assert "| flask | MIT |" in card
    loaded = model.load(Choice(model=str(tmp_path / "out"), device="cpu")).denoiser
    assert loaded.model.config.text_config.vocab_size == 600


def test_a_fim_run_learns_and_resumes(tmp_path: Path) -> None:
    plan = Plan("tiny", 600, rows=2, canvases=2, examples=2, warmup=2, causal_steps=1, objective="fim")
    made = maker(mix=plan.mix)
    trainer = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    drawn = [made.draw(i, 2, plan.canvases_at(i), 96, 256) for i in range(12)]
    reports = [trainer.step(batch, 1.0) for batch in drawn]
    assert all(report.keys() == {"causal", "answer"} for report in reports)
    assert reports[-1]["causal"] < reports[0]["causal"] - 0.5
    assert reports[-1]["answer"] < reports[0]["answer"] - 0.5
    assert trainer.validate(drawn[:1]).keys() == {"val_causal", "val_answer"}
    trainer.save(tmp_path / "checkpoint.pt")
    again = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    again.load(tmp_path / "checkpoint.pt")
    assert again.step(drawn[0], 1.0) == trainer.step(drawn[0], 1.0)


def test_a_run_begins_with_a_model_of_its_size(tmp_path: Path) -> None:
    plan = Plan("tiny", 600, rows=1, canvases=2, warmup=2, causal_steps=0)
    first, batch = loop.Trainer(plan, tmp_path, "cpu", compiled=False), maker().draw(0, 1, 2, 96, 128)
    first.step(batch, 1.0)
    first.save(tmp_path / loop.TRUNK)
    export.export_weights(tmp_path / loop.TRUNK, tiny.tokenizer(), tmp_path / "out")
    second = loop.Trainer(replace(plan, seed=1), tmp_path, "cpu", compiled=False)
    second.begin_with(tmp_path / "out")
    card.begun_with(tmp_path / "out", tmp_path)
    export.export_weights(tmp_path / loop.TRUNK, tiny.tokenizer(), tmp_path / "next")
    records = [json.loads((tmp_path / name / card.RECORD).read_text()) for name in ("out", "next")]
    assert records[1].pop("began_with") == records[0] == records[1]
    shipped, same = first.validate([batch], "average"), second.validate([batch], "model")
    assert same == second.validate([batch], "average") == pytest.approx(shipped, abs=0.02)  # int8
    other = loop.Trainer(replace(plan, vocab_size=601), tmp_path, "cpu", compiled=False)
    with pytest.raises(ValueError, match="another size or vocabulary"):
        other.begin_with(tmp_path / "out")
