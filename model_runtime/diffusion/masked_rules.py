"""Which masks are replaced in a step: the rules of the models' authors, each a `masked.Rule`.

`scheduled` is Dream's fixed-length schedule, `Expanding` is DreamOn's rule, `revisable` is P2 (path planning,
arXiv 2502.03540) as Open-dCoder uses it. Pure tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model_runtime.diffusion.masked import Ids, Marks, Policy, State
from model_runtime.diffusion.policy import Noise

LAST_TIME = 1e-3  # at the end of Dream's schedule


def scheduled(state: State, logits: Tensor, policy: Policy, noise: Noise) -> tuple[Ids, ...]:
    """From time 1 to `LAST_TIME` in equal steps: int(masks * (1 - s / t)) of the masks are replaced, the
    surest, s being the next time; in the last step all."""
    steps, flat = policy.steps(state), _flat(state)
    masked = [at for at, token in enumerate(flat) if token == policy.marks.mask]
    count = len(masked)
    if state.step < steps - 1:
        times = torch.linspace(1, LAST_TIME, steps + 1)
        count = int(torch.tensor(count) * (1 - times[state.step + 1] / times[state.step]))
    ids, confidence = policy.choice.choose(logits[masked], noise)
    return _replaced(state, flat, masked, ids, confidence.topk(count).indices.tolist())


def revisable(state: State, logits: Tensor, policy: Policy, noise: Noise) -> tuple[Ids, ...]:
    """Every position is drawn anew; the floor(n * (1 - (step + 1) / steps)) least sure ones become masks
    (again), the other masks what was drawn. Tokens that stay are not replaced."""
    steps, flat, mask = policy.steps(state), _flat(state), policy.marks.mask
    ids, confidence = policy.choice.choose(logits, noise)
    kept = (state.step + 1) / steps
    doubted = int((torch.tensor(float(len(flat))) * max(0.0, 1 - kept)).floor())
    order = confidence.argsort().tolist()
    masked = [at for at, token in enumerate(flat) if token == mask]
    sure = set(order[doubted:])
    chosen = [n for n, at in enumerate(masked) if at in sure]
    flat = [token if at in sure else mask for at, token in enumerate(flat)]
    return _replaced(state, flat, masked, ids[masked], chosen)


@dataclass(frozen=True)
class Expanding:
    """The `at_once` surest masks are replaced. A hole that has all its tokens, or a canvas without budget,
    may not expand. A hole ends at its first `delete`: its later positions that were masks in this step are
    deleted too.

    The authors' code goes on over the end of a hole there, into the next one."""

    at_once: int = 1

    def __call__(self, state: State, logits: Tensor, policy: Policy, noise: Noise) -> tuple[Ids, ...]:
        flat, marks = _flat(state), policy.marks
        masked = [at for at, token in enumerate(flat) if token == marks.mask]
        logits = logits[masked]
        full = [
            state.budget <= 0 or len(hole) >= most
            for hole, most in zip(state.holes, state.most, strict=True)
            for _ in hole
        ]
        if marks.expand is not None:
            logits[[full[at] for at in masked], marks.expand] = float("-inf")
        ids, confidence = policy.choice.choose(logits, noise)
        chosen = confidence.topk(min(self.at_once, len(masked))).indices.tolist()
        holes = _replaced(state, flat, masked, ids, chosen)
        return tuple(_ended(hole, was, marks) for hole, was in zip(holes, state.holes, strict=True))


def _ended(hole: Ids, was: Ids, marks: Marks) -> Ids:
    if marks.delete is None or marks.delete not in hole:
        return hole
    end = hole.index(marks.delete)
    later = zip(hole[end:], was[end:], strict=True)
    return hole[:end] + tuple(marks.delete if before == marks.mask else token for token, before in later)


def _flat(state: State) -> list[int]:
    return [token for hole in state.holes for token in hole]


def _replaced(
    state: State, flat: Sequence[int], masked: Sequence[int], ids: Tensor, chosen: Sequence[int]
) -> tuple[Ids, ...]:
    """The holes with the `chosen` of the `masked` positions replaced by their `ids`."""
    new, drawn = list(flat), ids.tolist()
    for n in chosen:
        new[masked[n]] = drawn[n]
    ends = [sum(map(len, state.holes[: i + 1])) for i in range(len(state.holes))]
    return tuple(tuple(new[end - len(hole) : end]) for hole, end in zip(state.holes, ends, strict=True))
