"""How good a training run is so far: its row of the curve in docs/training.md.

    python -m benchmarks.training_progress RUN --data FOLDER [--kind-limit N] [--anneal] [--json FILE]

RUN is a folder of `python -m model_runtime.training --tokens`, FOLDER one of `benchmarks.projects`. Losses
are those of documents in their own order, of single holes of pure noise, and of missing texts with what
follows in sight, on the held-out documents of the run's corpus, so that runs with different settings can be
compared; and of documents that pieces of others stand before, and of holes that begin with a composed draft.
Exact matches are those of the denoiser alone and of the causal encoder writing greedily, on development
holes, with the project's other files in the prompt. A line of JSON is added to FILE.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from model_runtime.network import threads

threads.configure()

import torch
from tqdm import tqdm

from benchmarks import holes
from benchmarks.holes import Hole
from benchmarks.ranking import opened, request, similar
from model_runtime.baselines.registry import BASELINES, Ask
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import load_engine
from model_runtime.protocol import Choice
from model_runtime.training import export, loop
from model_runtime.training.curve import KINDS, cells, row
from model_runtime.training.plan import Plan
from model_runtime.training.source import TOKENS, Drawing
from model_runtime.training.token_file import TokenFile

ASKED = ("denoiser", "causal")
BATCHES = 12
ALSO = {"context": "val_causal", "drafts": "val_canvas"}  # what some runs see, and the loss it should change


def losses(trainer: loop.Trainer, run: Path) -> dict[str, float]:
    """On batches that depend on nothing but the corpus, nats a token."""
    found = _losses(trainer, run)
    for share, name in ALSO.items():
        found[f"{name}_with_{share}"] = _losses(trainer, run, **{share: 1.0})[name]
    return found


def _losses(trainer: loop.Trainer, run: Path, context: float = 0.0, drafts: float = 0.0) -> dict[str, float]:
    size, vocabulary = trainer.plan.size, trainer.plan.vocab_size
    plan = Plan(size, vocabulary, rows=2, pure=1.0, holes=1, context=context, drafts=drafts)
    draw = Drawing(run / TOKENS, plan, held_out=True)().draw
    trainer.plan = plan
    drawn = [draw(i, plan.rows, plan.canvases, plan.width_at(i)) for i in range(BATCHES)]
    return trainer.validate(drawn, trainer.shipped)


def chosen(found: Sequence[Hole], most: int) -> list[Hole]:
    """So many of each kind, spread over all projects; those of a file together."""
    by_kind: dict[str, list[Hole]] = defaultdict(list)
    for hole in found:
        by_kind[hole.kind].append(hole)
    kept = [hole for kind in KINDS for hole in by_kind[kind][:: max(1, len(by_kind[kind]) // most)][:most]]
    return sorted(kept, key=lambda hole: (hole.project, hole.path))


def asked(model: Path, found: Sequence[Hole], data: Path) -> Iterator[tuple[str, str, bool]]:
    """(contender, kind of hole, whether its answer is exactly what is missing)."""
    engine = load_engine(Choice(model=str(model), device="cpu"))
    contenders: dict[str, Ask] = {name: BASELINES[name].make(engine) for name in ASKED}
    for hole, files in opened(found, data, "dev"):
        wanted = request(hole, similar(hole, files))
        for name, ask in contenders.items():
            text = ""
            with suppress(Unfillable):
                text = ask(wanted).texts[0]
            yield name, hole.kind, text.rstrip() == hole.middle.rstrip()


def exact(model: Path, found: Sequence[Hole], data: Path) -> dict[str, dict[str, float]]:
    """Percent by contender and kind of hole."""
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    with tqdm(total=len(found) * len(ASKED), mininterval=5) as bar:
        for name, kind, was_right in asked(model, found, data):
            right[name, kind].append(was_right)
            bar.update()
    told = defaultdict[str, dict[str, float]](dict)
    for (name, kind), outcomes in right.items():
        told[name][kind] = round(100 * sum(outcomes) / len(outcomes), 1)
    return dict(told)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_progress")
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind-limit", type=int, default=60, help="holes of each kind")
    parser.add_argument("--anneal", action="store_true", help="the annealed branch")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    checkpoint = options.run / (loop.BRANCH if options.anneal else loop.TRUNK)
    trainer = loop.Trainer(
        Plan(**torch.load(checkpoint, weights_only=True)["plan"]), options.run, "cpu", compiled=False
    )
    trainer.load(checkpoint)
    plan: dict[str, Any] = asdict(trainer.plan)
    found = losses(trainer, options.run)
    wanted = chosen(holes.load(options.data, "dev", "python"), options.kind_limit)
    with tempfile.TemporaryDirectory() as folder:
        export.export_weights(checkpoint, TokenFile(options.run / TOKENS).tokenizer, Path(folder))
        answers = exact(Path(folder), wanted, options.data)
    told = {"plan": plan, **asdict(trainer.progress), **found, "exact": answers, "holes": len(wanted)}
    print(row(cells(told)))
    if options.json:
        with options.json.open("ab") as out:
            out.write(msgspec.json.encode(told) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
