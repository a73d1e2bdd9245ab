"""The training loop: seeded, logged, and resumable slice by slice.

A run is a folder: corpus.jsonl, tokenizer.json, checkpoint.pt (the trunk), log.jsonl. The trunk keeps a
constant learning rate, so that it can always go on. An annealed branch, in which the rate falls to zero, is
saved beside it and never written back. What is exported is the running average of the weights.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Queue
from typing import Any

import torch
from torch import nn

from model_runtime.network import forward
from model_runtime.training.batches import Batch, BatchMaker
from model_runtime.training.geometry import fresh_model
from model_runtime.training.muon import optimizers
from model_runtime.training.objective import Objective

TRUNK, BRANCH = "checkpoint.pt", "annealed.pt"  # in the run folder
AVERAGE = 0.998  # decay of the running weight average, per step


@dataclass(frozen=True)
class Plan:
    """The settings of a run, fixed when it starts."""

    size: str
    vocab_size: int
    seed: int = 0
    rows: int = 4  # sequences a step
    canvases: int = 8  # per sequence
    width: int = 96
    lr: float = 4e-3
    warmup: int = 100  # steps
    causal_steps: int = 1000  # the encoder alone first: at equal tokens it teaches far more
    objective: str = "infill"  # or "fim": the causal loss alone, on permuted sequences

    def canvases_at(self, step: int) -> int:
        return self.canvases if self.objective == "infill" and step >= self.causal_steps else 0


@dataclass
class Progress:
    step: int = 0
    causal_tokens: int = 0
    canvas_tokens: int = 0
    seconds: float = 0.0


class Trainer:
    def __init__(self, plan: Plan, folder: Path, device: str, compiled: bool) -> None:
        self.plan = plan
        self.folder = folder
        self.device = torch.device(device)
        fresh: Any = fresh_model(plan.size, plan.vocab_size, plan.seed)
        self.model: Any = fresh.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizers = optimizers(self.model, plan.lr)
        encode, decode = forward.encode, forward.decode
        if compiled:
            encode, decode = torch.compile(encode), torch.compile(decode)
        self.objective = Objective(self.model, encode, decode)
        self.generator = torch.Generator(device=self.device).manual_seed(plan.seed)
        self.progress = Progress()

    def save(self, path: Path) -> None:
        state = {
            "plan": asdict(self.plan),
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "generator": self.generator.get_state(),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"].cpu())
        self.progress = Progress(**state["progress"])

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def losses(self, batch: Batch, condition: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        with self.autocast():
            causal, kv = self.objective.causal_loss(batch)
            if not batch.cuts.shape[1]:
                return causal, None
            return causal, self.objective.canvas_loss(batch, kv, self.generator, condition)

    def rate(self, annealed: float) -> float:
        """Learning-rate factor: linear warm-up, constant, and `annealed` in [0, 1] on a branch."""
        return min(1.0, (self.progress.step + 1) / self.plan.warmup) * annealed

    def step(self, batch: Batch, annealed: float) -> dict[str, float]:
        causal, canvas = self.losses(batch, condition=self.progress.step % 2 == 1)
        loss = causal if canvas is None else causal + canvas
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.lr * self.rate(annealed)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(AVERAGE, (1 + self.progress.step) / (10 + self.progress.step))
            for mean, p in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(p, 1 - decay)
        self.progress.step += 1
        self.progress.causal_tokens += batch.sequence.numel()
        self.progress.canvas_tokens += batch.canvas.numel()
        report = {"causal": causal.item()}
        if canvas is not None:
            report["canvas"] = canvas.item()
        return report

    @torch.no_grad()
    def validate(self, batches: list[Batch]) -> dict[str, float]:
        """Losses of the averaged weights on held-out batches, with the same noise each time."""
        objective = Objective(self.average)
        totals = dict.fromkeys(["val_causal"] + ["val_canvas"] * bool(batches[0].cuts.shape[1]), 0.0)
        for i, batch in enumerate(batches):
            noise = torch.Generator(device=self.device).manual_seed(i)
            with self.autocast():
                causal, kv = objective.causal_loss(batch)
                totals["val_causal"] += causal.item() / len(batches)
                if "val_canvas" in totals:
                    canvas = objective.canvas_loss(batch, kv, noise, False)
                    totals["val_canvas"] += canvas.item() / len(batches)
        return totals


def to_device(batch: Batch, device: torch.device) -> Batch:
    tensors = {k: v.to(device) for k, v in vars(batch).items() if isinstance(v, torch.Tensor)}
    return replace(batch, **tensors)


def prefetched(maker: BatchMaker, plan: Plan, first: int, device: torch.device) -> Iterator[Batch]:
    """Batches for steps `first`, `first` + 1, ..., drawn ahead by a thread."""
    queue: Queue[Batch] = Queue(maxsize=4)

    def produce() -> None:
        step = first
        while True:
            queue.put(maker.draw(step, plan.rows, plan.canvases_at(step), plan.width))
            step += 1

    threading.Thread(target=produce, daemon=True).start()
    while True:
        yield to_device(queue.get(), device)


def train(
    trainer: Trainer, maker: BatchMaker, held_out: list[Batch], minutes: float, anneal: bool, every: int = 50
) -> None:
    """One slice; SIGTERM or Ctrl-C ends it early, saved. A line is logged `every` so many steps.

    `anneal` lets the rate fall to zero over the slice and saves a branch, not the trunk."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    target = trainer.folder / (BRANCH if anneal else TRUNK)
    started, saved, last = time.monotonic(), time.monotonic(), time.monotonic()
    budget = minutes * 60
    with (trainer.folder / "log.jsonl").open("a") as log:
        for batch in prefetched(maker, trainer.plan, trainer.progress.step, trainer.device):
            elapsed = time.monotonic() - started
            if elapsed > budget or stopping.is_set():
                break
            report = trainer.step(batch, max(0.0, 1 - elapsed / budget) if anneal else 1.0)
            now = time.monotonic()
            trainer.progress.seconds += now - last
            last = now
            if trainer.progress.step % every == 0:
                if trainer.progress.step % (every * 5) == 0:
                    report |= trainer.validate(held_out)
                report |= asdict(trainer.progress) | {"anneal": anneal}
                log.write(json.dumps(report) + "\n")
                log.flush()
                print(_line(report, elapsed, budget), flush=True)
            if now - saved > 240:
                trainer.save(target)
                saved = now
    trainer.save(target)


def _line(report: dict[str, float], elapsed: float, budget: float) -> str:
    shown = "  ".join(f"{k} {v:.3f}" for k, v in report.items() if "ca" in k and isinstance(v, float))
    return f"{elapsed / budget:4.0%}  step {report['step']}  {shown}  {report['seconds'] / 60:.0f} min in all"
