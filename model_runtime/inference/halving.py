"""Denoising a batch with fewer rows where memory does not suffice for all of them. Knows no tensors."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from model_runtime.diffusion.interface import Denoiser, OutOfMemory, Proposal, Row

Denoising = Generator[Proposal | None, Sequence[int] | None, None]  # as of Denoiser.denoise


def denoised(
    denoiser: Denoiser, prompt: Sequence[int], rows: Sequence[Row], own: int, policy: Any, seed: int
) -> Denoising:
    """The denoiser's proposals. When it runs out of memory, it starts again with half of the rows; proposals
    keep counting all of them. `own`: rows of the fill; those after them only ask something.

    Raises OutOfMemory where one row is too much."""
    numbers = list(range(len(rows)))
    while True:
        batch = [rows[number] for number in numbers]
        try:
            return (yield from _numbered(denoiser.denoise(prompt, batch, policy, seed), numbers))
        except OutOfMemory:
            if len(numbers) == 1:
                raise
        # Not inside `except`: there the exception still holds what the failed batch took.
        numbers = halved(numbers, own)


def halved(numbers: Sequence[int], own: int) -> list[int]:
    """First the rows that only ask go. Then every second one goes: rows are ordered by the length of their
    holes, and the lengths that are left should lie as far apart as before."""
    mine = [number for number in numbers if number < own]
    return mine if len(mine) < len(numbers) else mine[1::2]


def _numbered(running: Denoising, numbers: Sequence[int]) -> Denoising:
    """Proposals of rows that are counted as `numbers` outside."""
    with closing(running):
        kept: Sequence[int] | None = None
        while True:
            try:
                news = running.send(kept)
            except StopIteration:
                return
            wanted = yield news and replace(news, rows=tuple(numbers[row] for row in news.rows))
            kept = wanted and [numbers.index(number) for number in wanted]
