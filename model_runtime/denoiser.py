"""The interface between the engine and whatever denoises: a local model or a remote server.

A denoiser is given prompt ids and canvas rows and yields a proposal after every step. Token ids
only; no text, no tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from model_runtime.denoise import Policy


@dataclass(frozen=True, slots=True)
class Row:
    """One canvas. `ids[i]` counts where `pinned[i]`; elsewhere the denoiser decides."""

    ids: Sequence[int]
    pinned: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rows after `step` steps, best guess so far. Lists run over each row's hole positions."""

    step: int
    ids: list[list[int]]
    logprobs: list[list[float]]  # nats
    finished: bool


class DenoiseError(Exception):
    """The model gave nothing usable (NaN, out of memory, a remote fault); the message is for a person."""


class Denoiser(Protocol):
    device: str

    def prefill(self, prompt: Sequence[int]) -> None:
        """Encode the prompt, reusing what is cached. `denoise` does it too when it was not called."""
        ...

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Iterator[Proposal]:
        """Proposals until all rows are finished or `policy.max_steps`; closing the iterator stops it.

        Raises DenoiseError."""
        ...
