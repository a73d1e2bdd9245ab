"""The interface between the engine and whatever denoises: a local model or a remote server.

A denoiser is given prompt ids and canvas rows and yields a proposal after every step. Token ids
only; no text, no tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from model_runtime.diffusion.sampler import Policy


@dataclass(frozen=True, slots=True)
class Row:
    """One canvas. `ids[i]` counts where `pinned[i]`; elsewhere the denoiser decides, starting from
    random tokens, or from `ids` where the row is a draft to be mended. `starts` limits what the first
    hole position may become (token healing). A `free` row may hold any token, also those that are no
    text: it says itself where it ends."""

    ids: Sequence[int]
    pinned: Sequence[bool]
    draft: bool = False
    starts: frozenset[int] | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """Lists run over each row's hole positions."""

    ids: list[list[int]]
    logprobs: list[list[float]]  # nats
    # Of each position the likeliest tokens and their log-probabilities, where a denoiser is not `Scoring`.
    likeliest: Sequence[Sequence[Mapping[int, float]]] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step did to the first row's hole positions, beside its guess."""

    before: list[int]  # ids that it read there
    accepted: list[bool]  # it holds its guess there for the next step, which finds noise elsewhere


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rows after `step` steps. `read` fetches the best guess so far: it may have to wait for the
    device, so ask only when it is wanted. So may `seen`, which not every denoiser can tell."""

    step: int
    rows: tuple[int, ...]  # which of the rows asked for are still in it
    finished: bool  # on a GPU known one step late; a finished row no longer changes
    read: Callable[[], Guess]
    seen: Callable[[], Seen] | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A text to be scored: `ids` and the known text `after` it that it has to lead to."""

    ids: Sequence[int]
    after: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class BranchScore:
    """Log-probabilities in nats, one per token: the causal encoder's, or the denoiser's own where that
    cannot be asked."""

    ids: list[float]
    after: list[float]


class DenoiseError(Exception):
    """The model gave nothing usable (NaN, a remote fault); the message is for a person."""


class OutOfMemory(DenoiseError):
    """Fewer rows at a time may still fit."""


class Denoiser(Protocol):
    device: str

    def cached(self, prompt: Sequence[int]) -> int:
        """How many tokens at the start of the prompt are encoded already."""
        ...

    def prefill(self, prompt: Sequence[int]) -> None:
        """Encode the prompt, reusing what is cached. `denoise` does it too when it was not called."""
        ...

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Generator[Proposal | None, Sequence[int] | None, None]:
        """Proposals until all rows are finished or `policy.max_steps`. Rows must be equally long. None where
        nothing is new but the wait is long: the caller may want to stop.

        Sending a list of row numbers goes on with those only; closing stops. Raises DenoiseError,
        OutOfMemory where the batch is too large."""
        ...


@runtime_checkable
class Scoring(Protocol):
    """A denoiser whose causal encoder can be asked how likely a text is. For others `Guess.likeliest` has
    to do."""

    def score(
        self, prompt: Sequence[int], head: Sequence[int], branches: Sequence[Branch]
    ) -> list[BranchScore]:
        """Each branch as the continuation of prompt + head, by the causal encoder."""
        ...


@runtime_checkable
class Seeing(Protocol):
    """A denoiser that reads images."""

    def see(self, image: bytes) -> list[int]:
        """Ids that stand for the image in a prompt: the vocabulary has none of them. Raises DenoiseError
        where it cannot be read."""
        ...
