"""The interface between the engine and whatever denoises: a local model or a remote server.

A denoiser is given prompt ids and canvas rows and yields a proposal after every step. Token ids
only; no text, no tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Row:
    """One canvas. Where `pinned[i]`, the token is `ids[i]`. Elsewhere the denoiser decides; it starts from
    random tokens, or from `ids` where the row is a `draft`. `starts` limits what the first hole position may
    become (token healing). A `free` row may also hold tokens that are not text, such as the one that ends
    it."""

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
    # By row and position: the likeliest tokens and their log-probabilities. Empty where a denoiser is
    # `Scoring`.
    likeliest: Sequence[Sequence[Mapping[int, float]]] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step did to the first row's hole positions, beside its guess."""

    before: list[int]  # ids that the step read
    accepted: list[bool]  # True: the next step reads this step's token; False: it reads noise


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rows after `step` steps. `read` fetches the best guess so far. It may wait for the device, so call
    it only when the guess is needed. The same goes for `seen`; it is None where the denoiser cannot tell."""

    step: int
    rows: tuple[int, ...]  # numbers of the rows that are still denoised
    finished: bool  # all rows are finished and no longer change; on a GPU known one step late
    read: Callable[[], Guess]
    seen: Callable[[], Seen] | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A text to be scored: its `ids`, and the known text `after` it, which is scored too."""

    ids: Sequence[int]
    after: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class BranchScore:
    """Log-probabilities in nats, one per token: by the causal encoder, or by the denoiser itself where there
    is no encoder to ask."""

    ids: list[float]
    after: list[float]


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a causal encoder wrote."""

    ids: list[int]  # without the end
    logprobs: list[float]  # nats, one a token; the end's too where it came
    ended: bool


class DenoiseError(Exception):
    """The model gave nothing usable (NaN, a remote fault); the message is for a person."""


class OutOfMemory(DenoiseError):
    """Fewer rows at a time may still fit."""


class Denoiser(Protocol):
    device: str
    dtype: str  # that it computes in; empty where a server computes

    def cached(self, prompt: Sequence[int]) -> int:
        """Number of tokens at the start of the prompt that are encoded already."""
        ...

    def prefill(self, prompt: Sequence[int]) -> None:
        """Encode the prompt, reusing what is cached. `denoise` does it too when it was not called."""
        ...

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Any, seed: int
    ) -> Generator[Proposal | None, Sequence[int] | None, None]:
        """Proposals until all rows are finished or `policy.max_steps` are done. Rows must be equally long.
        `policy`: the kind that this denoiser's profile holds, a `sampler.Policy` or a `masked.Policy`.
        Also yields None during a long wait, so that the caller can stop.

        Sending a list of row numbers goes on with those only; closing stops. Raises DenoiseError, and
        OutOfMemory where the batch is too large."""
        ...


@runtime_checkable
class Scoring(Protocol):
    """A denoiser whose causal encoder can score a text. Others give `Guess.likeliest` instead."""

    def score(
        self, prompt: Sequence[int], head: Sequence[int], branches: Sequence[Branch]
    ) -> list[BranchScore]:
        """Each branch as the continuation of prompt + head, by the causal encoder."""
        ...


@runtime_checkable
class Writing(Protocol):
    """A denoiser whose causal encoder can write a text."""

    def write(
        self, prompt: Sequence[int], head: Sequence[int], end: int, most: int, beams: int
    ) -> Generator[list[Written], None, None]:
        """The likeliest continuations of prompt + head that the id `end` ends, at most `beams`, best first:
        after every token as far as they are, until all have ended or have `most` tokens with the end."""
        ...


@runtime_checkable
class PseudoScoring(Protocol):
    """A denoiser that can score texts by what it would write in their places, seeing both sides and a part of
    each text. It is preferred to `Guess.likeliest`."""

    def pseudo_scores(self, prompt: Sequence[int], rows: Sequence[Row]) -> list[list[float]]:
        """Of each row's hole tokens: their log-probabilities in nats, each given about half of the others."""
        ...


@runtime_checkable
class Seeing(Protocol):
    """A denoiser that reads images."""

    def see(self, image: bytes) -> list[int]:
        """Ids that stand for the image in a prompt; they lie above the vocabulary. Raises DenoiseError where
        the image cannot be read."""
        ...
