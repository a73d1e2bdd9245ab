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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model_runtime.loading import int8_file
from model_runtime.network import forward
from model_runtime.training.arithmetic import matrix_type
from model_runtime.training.batches import Batch
from model_runtime.training.geometry import fresh_model
from model_runtime.training.muon import optimizers
from model_runtime.training.objective import Objective, next_token_loss
from model_runtime.training.plan import Plan

TRUNK, BRANCH = "checkpoint.pt", "annealed.pt"  # in the run folder
AVERAGE = 0.998  # decay of the running weight average, per step


@dataclass
class Progress:
    step: int = 0
    causal_tokens: int = 0
    canvas_tokens: int = 0
    missing_tokens: int = 0  # of these, text in holes
    example_tokens: int = 0  # in fill-in-the-middle order
    seconds: float = 0.0


class Trainer:
    def __init__(self, plan: Plan, folder: Path, device: str, compiled: bool) -> None:
        self.plan = plan
        self.folder = folder
        self.device = torch.device(device)
        fresh: Any = fresh_model(plan.size, plan.vocab_size, plan.seed)
        self.model: Any = fresh.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        self._averaged, self._learnt = zip(*(pair for pair in pairs if pair[1].requires_grad), strict=True)
        self.optimizers = optimizers(self.model, plan.lr)
        parts: list[Any] = [forward.encode, forward.decode, next_token_loss]
        if compiled:
            parts = [torch.compile(part) for part in parts]
        self.objective = Objective(self.model, *parts, full_noise=plan.full_noise)
        self.shipped = "average"  # or "model": whichever weights are better on held-out batches
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
            "shipped": self.shipped,
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
        self.shipped = state.get("shipped", "average")

    def begin_with(self, folder: Path) -> None:
        """Start from the weights of an exported model. Raises ValueError where it is of another size."""
        stored = int8_file.load(folder)
        with torch.no_grad():
            for net in (self.model, self.average):
                own = net.state_dict()
                for name, weight in stored.items():
                    if name not in own or own[name].shape != weight.shape:
                        raise ValueError(f"{folder} is a model of another size or vocabulary: {name}")
                    own[name].copy_(weight)

    def autocast(self) -> torch.autocast:
        """bf16, where that pays."""
        kind = matrix_type(self.device.type)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=kind == torch.bfloat16)

    def losses(
        self, objective: Objective, batch: Batch, noise: torch.Generator, condition: bool
    ) -> dict[str, torch.Tensor]:
        """In nats a token, by name; what a step minimises is their sum."""
        with self.autocast():
            causal, kv = objective.causal_loss(batch)
            found = {"causal": causal}
            if batch.cuts.shape[1]:
                found["canvas"] = objective.canvas_loss(batch, kv, noise, condition)
            if batch.examples:
                found["answer"] = objective.answer_loss(batch, batch.examples, kv)
        return found

    def rate(self, annealed: float) -> float:
        """Learning-rate factor: linear warm-up, constant, and `annealed` in [0, 1] on a branch."""
        return min(1.0, (self.progress.step + 1) / self.plan.warmup) * annealed

    def step(self, batch: Batch, annealed: float) -> dict[str, torch.Tensor]:
        """The losses stay on the device: reading one would wait for the step."""
        losses = self.losses(self.objective, batch, self.generator, self.plan.conditions(self.progress.step))
        sum(losses.values(), torch.zeros((), device=self.device)).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.lr * self.rate(annealed)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(AVERAGE, (1 + self.progress.step) / (10 + self.progress.step))
            torch._foreach_lerp_(self._averaged, self._learnt, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        self.progress.step += 1
        self.progress.causal_tokens += batch.sequence.numel()
        self.progress.canvas_tokens += batch.canvas.numel()
        self.progress.missing_tokens += batch.missing
        if batch.examples:
            self.progress.example_tokens += batch.examples.ids.numel()
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def validate(self, batches: Sequence[Batch], weights: str = "average") -> dict[str, float]:
        """Losses of the averaged weights on held-out batches, with the same noise each time; or of the
        "model" as it is."""
        objective = Objective(getattr(self, weights), full_noise=self.plan.full_noise)
        totals = defaultdict[str, float](float)
        for i, batch in enumerate(batches):
            noise = torch.Generator(device=self.device).manual_seed(i)
            for name, loss in self.losses(objective, batch, noise, condition=False).items():
                totals[f"val_{name}"] += loss.item() / len(batches)
        return dict(totals)

    def choose(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Ship the weights that do best on held-out batches; the loss of each."""
        losses = {name: sum(self.validate(batches, name).values()) for name in ("average", "model")}
        self.shipped = min(losses, key=lambda name: losses[name])
        return losses


def train(
    trainer: Trainer,
    drawn: Iterator[Batch],
    held_out: Sequence[Batch],
    minutes: float,
    anneal: bool,
    every: int = 50,
    steps: int | None = None,
) -> None:
    """One slice; SIGTERM or Ctrl-C ends it early, saved. A line is logged `every` so many steps.

    `steps`: no more than that. `anneal` lets the rate fall to zero over the slice and saves a branch, not
    the trunk."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    target = trainer.folder / (BRANCH if anneal else TRUNK)
    started, saved, last = time.monotonic(), time.monotonic(), time.monotonic()
    budget = minutes * 60
    last_step = None if steps is None else trainer.progress.step + steps
    with (trainer.folder / "log.jsonl").open("a") as log:
        for batch in drawn:
            elapsed = time.monotonic() - started
            if elapsed > budget or stopping.is_set() or trainer.progress.step == last_step:
                break
            losses = trainer.step(batch, max(0.0, 1 - elapsed / budget) if anneal else 1.0)
            now = time.monotonic()
            trainer.progress.seconds += now - last
            last = now
            if trainer.progress.step % every == 0:
                report: dict[str, float] = {name: loss.item() for name, loss in losses.items()}
                if trainer.progress.step % (every * 5) == 0:
                    report |= trainer.validate(held_out)
                report |= asdict(trainer.progress) | {"anneal": anneal}
                log.write(json.dumps(report) + "\n")
                log.flush()
                print(_line(report, elapsed, budget), flush=True)
            if now - saved > 240:
                trainer.save(target)
                saved = now
        chosen = trainer.choose(held_out)
        log.write(json.dumps({"step": trainer.progress.step, "weights": chosen}) + "\n")
    print(f"held-out loss {chosen['average']:.3f} averaged, {chosen['model']:.3f} raw", flush=True)
    trainer.save(target)


def _line(report: dict[str, float], elapsed: float, budget: float) -> str:
    shown = "  ".join(f"{k} {v:.3f}" for k, v in report.items() if k != "seconds" and isinstance(v, float))
    return f"{elapsed / budget:4.0%}  step {report['step']}  {shown}  {report['seconds'] / 60:.0f} min in all"
