"""One fill by a model that replaces mask tokens, as a pure recurrence: initialize -> update -> ... ->
finalize, over frozen states.

The other kind of denoising, from random tokens, is `sampler`. Which positions are decided in a step is a
`Rule` (`masked_rules`); the rest of a canvas is known and never changes. Pure: knows no model, tokenizer or
text. A `State` is one canvas; its holes may grow and shrink. Log-probabilities are in nats at temperature 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model_runtime.diffusion.policy import Noise
from model_runtime.diffusion.token_choice import TokenChoice

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Marks:
    """Ids that are no text. A model with `expand` and `delete` finds the length of a hole itself: `expand`
    becomes two masks, `delete` goes away."""

    mask: int
    expand: int | None = None
    delete: int | None = None

    @property
    def lengths(self) -> tuple[int, ...]:
        """Those that change the length of a hole."""
        return tuple(each for each in (self.expand, self.delete) if each is not None)


@dataclass(frozen=True)
class State:
    """After `step` updates. The tuples run over holes, then over their positions."""

    holes: tuple[Ids, ...]  # what the next pass reads: tokens, and masks where nothing is decided
    best: tuple[Ids, ...]  # the answer so far: the decided tokens, and the likeliest ones elsewhere
    logprobs: tuple[tuple[float, ...], ...]  # of `best`
    most: Ids  # tokens that each hole may grow to
    budget: int  # expansions that are left
    step: int
    finished: bool


# (state, logits [N, V] of all hole positions, policy, noise) -> the holes with what the step decided
Rule = Callable[["State", Tensor, "Policy", Noise], tuple[Ids, ...]]


@dataclass(frozen=True)
class Policy:
    """How the masks of a canvas are replaced."""

    rule: Rule
    choice: TokenChoice
    marks: Marks
    max_steps: int
    stretched: bool = False  # a schedule takes all of `max_steps`, also for a hole of fewer tokens
    start: int = 8  # masks that a hole begins with, if the model finds its length itself
    budget: int = 64  # expansions in one canvas
    gap: float | None = None  # stop once the two likeliest tokens are so far apart in probability everywhere

    def steps(self, state: State) -> int:
        """Length of a schedule: one that decides at least a token a step, unless it is `stretched`."""
        return self.max_steps if self.stretched else max(1, min(self.max_steps, sum(map(len, state.holes))))


def initialize(holes: Sequence[Sequence[int]], most: Sequence[int], policy: Policy) -> State:
    """`holes`: masks, or the tokens of a draft with masks where it is doubted."""
    start = tuple(map(tuple, holes))
    unknown = tuple(tuple(0.0 if i != policy.marks.mask else float("-inf") for i in hole) for hole in start)
    finished = not any(policy.marks.mask in hole for hole in start)
    return State(start, start, unknown, tuple(most), policy.budget, 0, finished)


def update(state: State, logits: Tensor, policy: Policy, noise: Noise) -> State:
    """One step from the raw `logits` [N, V] of all hole positions, in order; -inf where a token is banned. A
    finished state stays as it is."""
    if state.finished:
        return state
    marks = policy.marks
    text = logits.clone()
    text[:, [marks.mask, *marks.lengths]] = float("-inf")
    likeliest = text.argmax(-1).tolist()
    if policy.gap is not None and _decided(state, logits, marks, policy.gap):
        holes = _filled(state.holes, likeliest, marks.mask)
    else:
        holes = policy.rule(state, logits, policy, noise)
    best = _filled(tuple(_unresolved(hole, marks) for hole in holes), likeliest, marks.mask)
    wanted = torch.tensor([token for hole in best for token in hole], device=logits.device)
    logp = logits.log_softmax(-1).gather(-1, wanted[:, None])[:, 0].tolist()
    budget, at, found = state.budget, 0, []
    for hole, answer, before, earlier, most in zip(
        holes, best, state.holes, state.logprobs, state.most, strict=True
    ):
        own = logp[at : at + len(before)]
        at += len(before)
        sure = [
            old if token == was != marks.mask else new
            for token, was, old, new in zip(hole, before, earlier, own, strict=True)
        ]
        one = _resolved(hole, answer, sure, before, budget, marks, most)
        budget -= one.expanded
        found.append(one)
    return replace(
        state,
        holes=tuple(one.ids for one in found),
        best=tuple(one.best for one in found),
        logprobs=tuple(one.logprobs for one in found),
        budget=budget,
        step=state.step + 1,
        finished=not any(marks.mask in one.ids for one in found),
    )


def finalize(state: State) -> tuple[tuple[Ids, ...], tuple[tuple[float, ...], ...]]:
    """(ids, log-probabilities) of the answer, by hole."""
    return state.best, state.logprobs


@dataclass(frozen=True)
class _Hole:
    ids: Ids
    best: Ids
    logprobs: tuple[float, ...]
    expanded: int


def _resolved(
    hole: Ids, best: Ids, logprobs: Sequence[float], before: Ids, budget: int, marks: Marks, most: int
) -> _Hole:
    """A hole whose deleted masks are gone, and then, from right to left, each `expand` has become two masks.
    One that has no room or budget is a mask again."""
    gone = [token == marks.delete and was == marks.mask for token, was in zip(hole, before, strict=True)]
    kept = [each for each, away in zip(zip(hole, best, logprobs, strict=True), gone, strict=True) if not away]
    room, expanded = min(budget, most - len(kept)), 0
    turned: list[tuple[int, int, float]] = []
    for token, answer, sure in reversed(kept):
        if token != marks.expand or marks.expand is None:
            turned.append((token, answer, sure))
            continue
        twice = expanded < room
        expanded += twice
        turned += [(marks.mask, answer, sure)] * (1 + twice)
    turned.reverse()
    ids = tuple(token for token, _, _ in turned)
    return _Hole(ids, tuple(a for _, a, _ in turned), tuple(s for _, _, s in turned), expanded)


def _unresolved(hole: Ids, marks: Marks) -> Ids:
    """With masks in place of what is no text: what is asked there is the likeliest token."""
    return tuple(marks.mask if token in marks.lengths else token for token in hole)


def _filled(holes: Sequence[Ids], likeliest: Sequence[int], mask: int) -> tuple[Ids, ...]:
    """With the likeliest token, of all positions in order, in place of every mask."""
    left = iter(likeliest)
    paired = [[(token, next(left)) for token in hole] for hole in holes]
    return tuple(tuple(best if token == mask else token for token, best in hole) for hole in paired)


def _decided(state: State, logits: Tensor, marks: Marks, gap: float) -> bool:
    """Every mask has a token that leads by `gap`, and none of these changes a length."""
    masked = torch.tensor(
        [token == marks.mask for hole in state.holes for token in hole], device=logits.device
    )
    top = logits[masked].softmax(-1).topk(2, dim=-1)
    lengths = torch.tensor(marks.lengths, device=logits.device)
    sure = bool((top.values[:, 0] - top.values[:, 1] >= gap).all())
    return sure and not bool(torch.isin(top.indices[:, 0], lengths).any())
