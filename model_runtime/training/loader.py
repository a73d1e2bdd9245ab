"""Batches for one step after another, drawn ahead by processes of their own.

Each process opens the corpus itself: where it is a token file, they share the pages that are mapped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import Queue

import torch
from torch.utils.data import DataLoader, Dataset

from model_runtime.training.batches import Batch, BatchMaker, Examples
from model_runtime.training.plan import Plan

AHEAD = 4  # batches
ENDLESS = 1 << 40  # steps


@dataclass
class Steps(Dataset[Batch]):
    """The batch of each step. `make` is called once in each process, at its first batch."""

    make: Callable[[], BatchMaker]
    plan: Plan
    _maker: BatchMaker | None = None

    def __getitem__(self, step: int) -> Batch:
        self._maker = self._maker or self.make()
        plan = self.plan
        return self._maker.draw(step, plan.rows, plan.canvases_at(step), plan.width_at(step))


def batches(steps: Steps, first: int, device: torch.device, processes: int = 0) -> Iterator[Batch]:
    """For steps `first`, `first` + 1, ... without end. Without processes a thread draws them."""
    if not processes:
        yield from _by_thread(steps, first, device)
        return
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(first, ENDLESS),
        num_workers=processes,
        prefetch_factor=AHEAD,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        yield to_device(batch, device)


def _by_thread(steps: Steps, first: int, device: torch.device) -> Iterator[Batch]:
    queue: Queue[Batch] = Queue(maxsize=AHEAD)

    def produce() -> None:
        step = first
        while True:
            queue.put(steps[step])
            step += 1

    threading.Thread(target=produce, daemon=True).start()
    while True:
        yield to_device(queue.get(), device)


def to_device(batch: Batch, device: torch.device) -> Batch:
    tensors = {
        name: value.to(device, non_blocking=True)
        for name, value in vars(batch).items()
        if isinstance(value, torch.Tensor)
    }
    examples = batch.examples
    if examples is not None:
        examples = Examples(*(each.to(device, non_blocking=True) for each in examples))
    return replace(batch, **tensors, examples=examples)
