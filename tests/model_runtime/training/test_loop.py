"""The training code: right holes, right masks, a loss that falls, a run that resumes and exports."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
import torch

from model_runtime.loading import model
from model_runtime.network import forward
from model_runtime.protocol import Choice
from model_runtime.training import (
    attention,
    batches,
    corpus,
    export,
    fim,
    held_out,
    holes,
    loop,
    muon,
    objective,
)
from model_runtime.training.vocabulary import BOS, EOS, GAP, MIDDLE, PAD, PREFIX, SUFFIX
from tests.support import tiny

LINES = tiny.SOURCE.split("\n")


class Ids:
    def encode(self, text: str) -> list[int]:
        return tiny.tokenizer().encode(text, add_special_tokens=False).ids


def maker(seed: int = 0) -> batches.BatchMaker:
    return batches.BatchMaker([batches.tokenize(tiny.SOURCE, Ids())], Ids(), seed)


@pytest.mark.parametrize("kind", holes.CUTTERS)
def test_a_cut_hole_puts_the_file_back_together(kind: holes.Kind) -> None:
    rng = random.Random(1)
    cuts = [c for i in range(len(LINES)) if (c := holes.cut_hole(LINES, i, rng, kind))]
    assert len(cuts) > 5
    for c in cuts:
        rebuilt = [*LINES[: c.line], *(c.head + c.middle + c.tail).split("\n"), *LINES[c.next_line :]]
        assert rebuilt == LINES
        assert c.middle.strip()


def test_a_canvas_without_its_filler_is_the_file() -> None:
    batch = maker().draw(0, rows=2, canvases=6, width=96, length=256)
    for row in range(2):
        for k in range(6):
            at = slice(k * 96, (k + 1) * 96)
            clean = [i for i in batch.canvas[row, at].tolist() if i not in (GAP, PAD, 1)]
            before = batch.sequence[row, : batch.cuts[row, k]].tolist()
            text = tiny.tokenizer().decode(before[-20:] + clean)
            assert text.strip() in tiny.SOURCE
            assert batch.hole[row, at].any()


def test_batches_repeat_for_a_seed_and_step() -> None:
    a, b = (maker().draw(3, 1, 4, 96, 128) for _ in range(2))
    assert torch.equal(a.canvas, b.canvas)
    assert not torch.equal(a.canvas, maker().draw(4, 1, 4, 96, 128).canvas)


def test_noise_touches_holes_only() -> None:
    batch = maker().draw(0, 2, 4, 96, 128)
    ids = objective.noised(batch, 600, torch.Generator().manual_seed(0))
    changed = ids != batch.canvas
    assert changed.any()
    assert not (changed & ~batch.hole).any()


@pytest.mark.parametrize("length", [512, 400])  # two blocks of one window; one, as none divides it
def test_training_sees_what_the_denoiser_sees(length: int) -> None:
    """The many-canvases-per-sequence pass gives each canvas the hidden states it gets alone."""
    batch = maker().draw(1, rows=2, canvases=3, width=96, length=length)
    net = tiny.model()
    alone = tiny.denoiser()
    with torch.no_grad():
        run = objective.Objective(net)
        assert attention.block_count(length, run.window) == (2 if length == 512 else 1)
        _, kv = run.prefix(batch)
        together = run.canvas_states(
            batch, run.view(batch, kv), batch.canvas, forward.embed(net, batch.canvas)
        )
        for row, k in product(range(2), range(3)):
            at = slice(k * 96, (k + 1) * 96)
            real = batch.canvas[row, at] != PAD
            ids = batch.canvas[row, at][real][None]
            cut = int(batch.cuts[row, k])
            view = alone._canvas_view(alone._encode(batch.sequence[row, :cut].tolist()), 1, 96)
            where = torch.arange(cut, cut + ids.shape[1])[None]
            single = forward.decode(net, ids, forward.embed(net, ids), where, view.masks, view.kv)
            torch.testing.assert_close(single[0], together[row, at][real], rtol=1e-3, atol=1e-4)


def test_a_sequence_in_blocks_is_the_sequence() -> None:
    batch = maker().draw(1, rows=2, canvases=1, width=96, length=512)
    net = tiny.model()
    run = objective.Objective(net)
    with torch.no_grad():
        hidden, kv = run.prefix(batch)
        masks = attention.causal_masks(512, run.window, torch.device("cpu"))
        whole, positions = forward.KeyValues(), torch.arange(512).expand(2, -1)
        expected = forward.encode(net, batch.sequence, positions, masks, whole)
    torch.testing.assert_close(hidden, expected, rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(kv.layers, whole.layers, strict=True):
        torch.testing.assert_close(mine.keys, theirs.keys, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(mine.values, theirs.values, rtol=1e-3, atol=1e-4)


def test_orthogonalize_makes_singular_values_near_one() -> None:
    stack = torch.randn(3, 32, 64, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(muon.orthogonalize(stack).float())
    assert 0.6 < values.min() < values.max() < 1.3


def test_a_run_learns_resumes_and_exports(tmp_path: Path) -> None:
    plan = loop.Plan("tiny", 600, rows=1, canvases=2, warmup=2, causal_steps=4)
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
    assert "| brackets, 1 holes " in card
    assert "| flask | MIT |" in card
    loaded = model.load(Choice(model=str(tmp_path / "out"), device="cpu")).denoiser
    assert loaded.model.config.text_config.vocab_size == 600


@pytest.mark.parametrize(
    ("fields", "permissive"),
    [
        ({"License-Expression": "MIT"}, True),
        ({"License": "BSD 3-Clause"}, True),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, True),
        ({"License-Expression": "MIT AND LGPL-3.0-only"}, False),
        ({"License": "MPL-2.0"}, False),
        ({}, False),
    ],
)
def test_only_permissive_licences_are_learned_from(tmp_path: Path, fields: dict, permissive: bool) -> None:
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: x", "Version: 1", *(f"{k}: {v}" for k, v in fields.items())]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    assert (corpus.licence_of(metadata.PathDistribution(info)) is not None) is permissive


def _project(tmp_path: Path, name: str, text: str) -> corpus.Project:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return corpus.Project(name, "1", "MIT", ((path.name, path),))


def test_copies_of_held_out_files_are_not_learned_from(tmp_path: Path) -> None:
    text = "".join(f"    some_value_number_{i} = compute({i})\n" for i in range(30))
    other = "".join(f"    another_thing_{i} = produce({i})\n" for i in range(30))
    train, held_out = corpus.collect(
        [
            _project(tmp_path, "copycat", text),
            _project(tmp_path, "flask", text),
            _project(tmp_path, "original", other),
            _project(tmp_path, "twin", other),
            _project(tmp_path, "bench", other.replace("another", "humaneval") + "# HumanEval\n"),
        ]
    )
    assert [d.project for d in held_out] == ["flask"]
    assert [d.project for d in train] == ["original"]


def test_fim_sequences_hold_the_file() -> None:
    """Put back in order, every example is a stretch of the source; everything else is a plain stretch."""
    made = fim.FimMaker([batches.tokenize(tiny.SOURCE, Ids())], Ids(), 0)
    batch = made.draw(3, rows=6, canvases=8, width=96, length=512)
    assert torch.equal(batch.sequence, made.draw(3, 6, 8, 96, 512).sequence)
    assert batch.sequence.shape == (6, 512)
    assert batch.cuts.shape == (6, 0)
    decode, permuted, plain = tiny.tokenizer().decode, 0, 0
    for row in batch.sequence.tolist():
        starts = [i for i, token in enumerate(row) if token == BOS]
        assert starts[0] == 0
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            piece = row[start + 1 : end]
            if piece[:1] != [PREFIX]:
                plain += 1
                assert decode(piece) in tiny.SOURCE
                continue
            permuted += 1
            suffix, middle = piece.index(SUFFIX), piece.index(MIDDLE)
            assert piece[-1] == EOS
            answer = piece[middle + 1 : -1]
            assert answer
            shown = [i for i in piece[suffix + 1 : middle] if i != EOS]
            assert len(shown) <= fim.MAX_SUFFIX
            assert decode(piece[1:suffix] + answer + shown) in tiny.SOURCE + "\n"
    assert permuted
    assert plain


def test_a_fim_run_learns_and_resumes(tmp_path: Path) -> None:
    plan = loop.Plan("tiny", 600, rows=2, canvases=2, warmup=2, causal_steps=1, objective="fim")
    made = fim.FimMaker([batches.tokenize(tiny.SOURCE, Ids())], Ids(), 0)
    trainer = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    drawn = [made.draw(i, 2, plan.canvases_at(i), 96, 256) for i in range(12)]
    reports = [trainer.step(batch, 1.0) for batch in drawn]
    assert all(report.keys() == {"causal"} for report in reports)
    assert reports[-1]["causal"] < reports[0]["causal"] - 0.5
    assert trainer.validate(drawn[:1]).keys() == {"val_causal"}
    trainer.save(tmp_path / "checkpoint.pt")
    again = loop.Trainer(plan, tmp_path, "cpu", compiled=False)
    again.load(tmp_path / "checkpoint.pt")
    assert again.step(drawn[0], 1.0) == trainer.step(drawn[0], 1.0)


def test_the_command_runs_where_only_torch_and_transformers_are(tmp_path: Path) -> None:
    """A bare GPU machine has no msgspec and no platformdirs; a slice there must still train and resume."""
    documents = [corpus.Document(f"p{i}", "MIT", "a.py", tiny.SOURCE) for i in range(4)]
    corpus.save(tmp_path / "corpus.jsonl", documents, documents[:1])
    arguments = [
        "--folder",
        str(tmp_path),
        "--size",
        "tiny",
        "--rows",
        "1",
        "--no-compile",
        "--device",
        "cpu",
    ]
    code = f"""
import runpy, sys, os
os.environ["MALLOC_TOP_PAD_"] = ""
sys.modules.update(msgspec=None, platformdirs=None)
sys.argv = ["training", *{arguments!r}, "--minutes", "0.03", "--causal-steps", "2"]
runpy.run_module("model_runtime.training", run_name="__main__")
"""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr
    assert "resuming" in done.stdout
    assert (tmp_path / "checkpoint.pt").exists()
