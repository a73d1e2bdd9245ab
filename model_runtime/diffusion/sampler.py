"""One fill as a pure recurrence: initialize -> update -> ... -> finalize, over frozen states.

The algorithm is the released model's entropy-bound sampler (arXiv 2505.24857; transformers'
`generation_diffusion_gemma.py`) with known tokens *pinned*: only hole positions are sampled, spend
entropy budget, are renoised, and decide when to stop. With nothing pinned it makes the same random
draws in the same order and reproduces `generate`.

Pure tensors: knows no model, tokenizer or text.
Shapes: R rows, C canvas positions, N hole positions (ragged rows are padded; `valid` says which
are real), V vocabulary. Entropies and log-probabilities are in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Temperature = Callable[[int, int], float]  # (steps remaining, most steps) -> temperature
Accept = Callable[[Tensor, Tensor], Tensor]  # (entropy [R, N], valid [R, N]) -> accepted [R, N]
Stop = Callable[["State", "State", Tensor], Tensor]  # (before, after, relevant [R, N]) -> finished [R]
Relevant = Callable[[Tensor], Tensor]  # best [R, N] -> bool [R, N]: positions that decide when to stop


class Noise(Protocol):
    """Where randomness comes from; a seeded one makes a fill repeatable."""

    def ids(self, shape: tuple[int, ...]) -> Tensor: ...
    def sample(self, probabilities: Tensor) -> Tensor: ...


Sample = Callable[[Tensor, Noise], Tensor]  # (probabilities [R, N, V], noise) -> ids [R, N]


@dataclass(frozen=True)
class Layout:
    """Where the holes are. `canvas` holds the pinned ids; at hole positions its content is ignored."""

    canvas: Tensor  # [R, C]
    index: Tensor  # [R, N], canvas position of each hole token
    valid: Tensor  # bool [R, N]

    @staticmethod
    def of(canvas: Tensor, pinned: Tensor) -> Layout:
        """From ids [R, C] and a pinned mask [R, C]; every row needs a hole position."""
        counts = (~pinned).sum(dim=1)
        if not bool((counts > 0).all()):
            raise ValueError("a canvas row has no hole")
        order = pinned.to(torch.int8).argsort(dim=1, stable=True)  # hole positions first, in order
        width = int(counts.max())
        valid = torch.arange(width, device=canvas.device)[None, :] < counts[:, None]
        return Layout(canvas, order[:, :width].contiguous(), valid)

    def compose(self, ids: Tensor) -> Tensor:
        """The whole canvas [R, C] with `ids` [R, N] in its holes; pinned ids re-asserted."""
        kept = self.canvas.gather(1, self.index)
        return self.canvas.scatter(1, self.index, torch.where(self.valid, ids, kept))


@dataclass(frozen=True)
class Policy:
    """How the sampler decides; each part is a function, so that models and tests can bring their own."""

    temperature: Temperature
    accept: Accept
    stop: Stop
    max_steps: int
    relevant: Relevant = torch.ones_like
    sample: Sample = lambda probabilities, noise: noise.sample(probabilities)


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


def initialize(layout: Layout, noise: Noise, warm: Tensor | None = None) -> State:
    """Holes full of random tokens, or of `warm` [R, N], the tokens of a draft."""
    shape = tuple(layout.index.shape)
    ids = noise.ids(shape) if warm is None else warm
    infinite = torch.full(shape, float("inf"), device=ids.device)
    finished = torch.zeros(shape[0], dtype=torch.bool, device=ids.device)
    return State(ids, ids, None, infinite, -infinite, finished, 0, torch.zeros_like(ids, dtype=torch.bool))


def update(state: State, logits: Tensor, layout: Layout, policy: Policy, noise: Noise) -> State:
    """One denoise step from the raw `logits` [R, N, V] of the hole positions. Rows that had
    finished stay as they were."""
    remaining = policy.max_steps - state.step
    temperature = policy.temperature(remaining, policy.max_steps)
    best, entropy, sampled = _draw(logits, temperature, policy.sample, noise)
    accepted = policy.accept(entropy, layout.valid)
    ids = torch.where(accepted, sampled, noise.ids(tuple(sampled.shape)))
    logprob = logits.log_softmax(-1).gather(-1, best[..., None])[..., 0]
    new = State(ids, best, logits / temperature, entropy, logprob, state.finished, state.step + 1, accepted)
    if state.logits is not None:
        new = _keep_finished(state, new)
    relevant = layout.valid & policy.relevant(new.best).bool()
    return replace(new, finished=state.finished | policy.stop(state, new, relevant))


def _draw(logits: Tensor, temperature: float, sample: Sample, noise: Noise) -> tuple[Tensor, Tensor, Tensor]:
    """(likeliest, entropy, a sample), each [R, N]. A canvas's logits are 268 MB in the released size, so at
    most two tensors as large exist here, beside `logits` and the state's (`memory_budget.LOGIT_COPIES`)."""
    tempered = logits / temperature
    best, logp = tempered.argmax(-1), tempered.log_softmax(-1)
    del tempered
    probabilities = logp.exp()
    entropy = -logp.clamp_min_(torch.finfo(logp.dtype).min).mul_(probabilities).sum(-1)
    del logp
    return best, entropy, sample(probabilities, noise)


def narrow(layout: Layout, state: State, rows: Sequence[int]) -> tuple[Layout, State]:
    """Only the given rows."""
    at = torch.tensor(list(rows), device=layout.canvas.device)
    fields = {k: v[at] for k, v in vars(state).items() if isinstance(v, Tensor)}
    return Layout(layout.canvas[at], layout.index[at], layout.valid[at]), replace(state, **fields)


def finalize(state: State) -> tuple[Tensor, Tensor]:
    """(ids, log-probabilities) [R, N] of the answer."""
    return state.best, state.logprob


def _keep_finished(old: State, new: State) -> State:
    done = old.finished[:, None]
    assert old.logits is not None
    assert new.logits is not None
    return replace(
        new,
        ids=torch.where(done, old.ids, new.ids),
        best=torch.where(done, old.best, new.best),
        logits=torch.where(done[..., None], old.logits, new.logits),
        entropy=torch.where(done, old.entropy, new.entropy),
        logprob=torch.where(done, old.logprob, new.logprob),
        accepted=torch.where(done, old.accepted, new.accepted),
    )


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
        return torch.zeros_like(chosen).scatter(-1, order, chosen)

    return accept


def likeliest(probabilities: Tensor, noise: Noise) -> Tensor:
    """Greedy sampling: no draw."""
    return probabilities.argmax(-1)


def stable_and_confident(mean_entropy: float) -> Stop:
    """The answer did not change over the hole and its mean entropy is below the bound."""

    def stop(before: State, after: State, relevant: Tensor) -> Tensor:
        if before.logits is None:
            return torch.zeros_like(after.finished)
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
        return torch.stack([rule(before, after, relevant) for rule in rules]).any(0)

    return stop


def up_to_first(token: int) -> Relevant:
    """Positions up to and including the first `token`: what follows a hole's end does not matter."""
    return lambda best: (best == token).cumsum(-1) - (best == token).long() == 0


class SeededNoise:
    """Uniform ids in [low, vocabulary) and multinomial samples from one seeded generator."""

    def __init__(self, vocabulary: int, seed: int, device: torch.device, low: int = 0) -> None:
        self._range = (low, vocabulary)
        self._device = device
        self._generator = torch.Generator(device=device).manual_seed(seed)

    def ids(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(*self._range, shape, generator=self._generator, device=self._device)

    def sample(self, probabilities: Tensor) -> Tensor:
        flat = probabilities.flatten(0, -2)
        drawn = torch.multinomial(flat, 1, generator=self._generator)
        return drawn.view(probabilities.shape[:-1])
