"""What the sampler decides by: temperature, acceptance, when to stop, what is sampled; and its state.

Rules over tensors that they are given. Nothing here imports torch: a profile names its rules also where a
server denoises and no torch is installed.
Shapes: R rows, N hole positions, V vocabulary. Entropies and log-probabilities are in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Temperature = Callable[[int, int], float]  # (steps remaining, most steps) -> temperature
Accept = Callable[["Tensor", "Tensor"], "Tensor"]  # (entropy [R, N], valid [R, N]) -> accepted [R, N]
Stop = Callable[["State", "State", "Tensor"], "Tensor"]  # (before, after, relevant [R, N]) -> finished [R]
Relevant = Callable[["Tensor"], "Tensor"]  # best [R, N] -> bool [R, N]: positions that decide when to stop


class Noise(Protocol):
    """Where randomness comes from; a seeded one makes a fill repeatable."""

    def ids(self, shape: tuple[int, ...]) -> Tensor: ...
    def sample(self, probabilities: Tensor) -> Tensor: ...


Sample = Callable[["Tensor", Noise], "Tensor"]  # (probabilities [R, N, V], noise) -> ids [R, N]


def everywhere(best: Tensor) -> Tensor:
    """Every position decides when to stop."""
    return best == best


@dataclass(frozen=True)
class State:
    """After `step` updates. `ids` is what the next forward pass sees, `best` the answer so far."""

    ids: Tensor  # [R, N], accepted tokens and noise
    best: Tensor  # [R, N], argmax
    logits: Tensor | None  # [R, N, V], tempered: the belief that conditions the next pass
    entropy: Tensor  # [R, N]
    logprob: Tensor  # [R, N], of `best`, at temperature 1
    finished: Tensor  # bool [R]
    step: int
    accepted: Tensor  # bool [R, N], by the last update; the rest of `ids` is noise


@dataclass(frozen=True)
class Policy:
    """How the sampler decides; each part is a function, so that models and tests can bring their own."""

    temperature: Temperature
    accept: Accept
    stop: Stop
    max_steps: int
    relevant: Relevant = everywhere
    sample: Sample = lambda probabilities, noise: noise.sample(probabilities)


def linear_temperature(low: float, high: float) -> Temperature:
    """`high` with all steps remaining, falling towards `low`."""
    return lambda remaining, most: low + (high - low) * (remaining / most)


def entropy_bound(bound: float) -> Accept:
    """The lowest-entropy positions while their joint mutual information is at most `bound` nats
    (cumulative entropy less their own maximum; arXiv 2505.24857)."""

    def accept(entropy: Tensor, valid: Tensor) -> Tensor:
        ranked, order = entropy.masked_fill(~valid, float("inf")).sort(dim=-1)
        spent = ranked.nan_to_num(posinf=0.0).cumsum(-1) - ranked
        chosen = (spent <= bound) & ranked.isfinite()
        return chosen.logical_and(~chosen).scatter(-1, order, chosen)

    return accept


def likeliest(probabilities: Tensor, noise: Noise) -> Tensor:
    """Greedy sampling: no draw."""
    return probabilities.argmax(-1)


def stable_and_confident(mean_entropy: float) -> Stop:
    """The answer did not change over the hole and its mean entropy is below the bound."""

    def stop(before: State, after: State, relevant: Tensor) -> Tensor:
        if before.logits is None:
            return after.finished & False
        stable = ((before.best == after.best) | ~relevant).all(-1)
        total = after.entropy.masked_fill(~relevant, 0.0).sum(-1)
        return stable & (total / relevant.sum(-1) < mean_entropy)

    return stop


def early_commit(gap: float) -> Stop:
    """The two likeliest tokens are at least `gap` apart in probability at every position of the hole
    (Prophet, arXiv 2508.19982)."""

    def stop(before: State, after: State, relevant: Tensor) -> Tensor:
        assert after.logits is not None
        top = after.logits.softmax(-1).topk(2, dim=-1).values
        return ((top[..., 0] - top[..., 1] >= gap) | ~relevant).all(-1)

    return stop


def either(*rules: Stop) -> Stop:
    """Finished by any of the rules."""

    def stop(before: State, after: State, relevant: Tensor) -> Tensor:
        return reduce(or_, (rule(before, after, relevant) for rule in rules))

    return stop


def up_to_first(token: int) -> Relevant:
    """Positions up to and including the first `token`: what follows a hole's end does not matter."""
    return lambda best: (best == token).cumsum(-1) - (best == token).long() == 0
