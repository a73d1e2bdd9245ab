"""The causal encoder writes: beam search (Graves, arXiv 1211.3711), all hypotheses in one pass a token.

Their tokens lie behind the question in one sequence of keys and values, where each sees the question and the
tokens of its own hypothesis alone. So a token more of all of them costs about what one token costs.
Knows ids and masks, no text and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model_runtime.diffusion.interface import Written
from model_runtime.network.forward import FULL, SLIDING, Masks

WITHIN = 2.0  # nats below the best hypothesis: what is less likely is given up


@dataclass(frozen=True)
class Hypothesis:
    ids: tuple[int, ...] = ()  # the end too, where it came
    logprobs: tuple[float, ...] = ()  # nats
    nodes: tuple[int, ...] = ()  # where the keys of its tokens are, counted from the question's end
    ended: bool = False

    @property
    def total(self) -> float:
        return sum(self.logprobs)

    @property
    def written(self) -> Written:
        return Written(list(self.ids[: len(self.ids) - self.ended]), list(self.logprobs), self.ended)


def grown(
    found: Sequence[Hypothesis], growing: Sequence[Hypothesis], logp: Tensor, end: int, beams: int
) -> list[Hypothesis]:
    """At most `beams`, best first, of the hypotheses `found`, which stay as they are, and of those that get
    one token more: `growing`, with their next token's log-probabilities [len(growing), V]."""
    best = logp.topk(min(beams, logp.shape[-1]))
    longer = [
        Hypothesis((*each.ids, token), (*each.logprobs, value), each.nodes, token == end)
        for each, values, tokens in zip(growing, best.values.tolist(), best.indices.tolist(), strict=True)
        for value, token in zip(values, tokens, strict=True)
    ]
    likeliest = sorted([*found, *longer], key=lambda each: -each.total)[:beams]
    return [each for each in likeliest if each.total >= likeliest[0].total - WITHIN]


class Beams:
    """Continuations of one question of `length` tokens, of which sliding layers keep the newest `window` - 1.

    `after`: ids [1, N], their positions [1, N] and masks -> log-probabilities [N, V] of what follows each. It
    keeps their keys and values behind those that are there."""

    def __init__(self, length: int, window: int, after: Callable[[Tensor, Tensor, Masks], Tensor]) -> None:
        self._length, self._window, self._after = length, window, after
        self._nodes = 0  # tokens that `after` got

    def search(self, first: Tensor, end: int, most: int, beams: int) -> Iterator[list[Hypothesis]]:
        """The likeliest, at most `beams`, best first, after each of `most` tokens or until all have ended.
        `first`: log-probabilities [1, V] of the first token."""
        found = grown([], [Hypothesis()], first, end, beams)
        for _ in range(1, most):
            yield found
            growing = [each for each in found if not each.ended]
            if not growing:
                return
            ended = [each for each in found if each.ended]
            nodes = range(self._nodes, self._nodes + len(growing))
            growing = [
                replace(each, nodes=(*each.nodes, node)) for each, node in zip(growing, nodes, strict=True)
            ]
            found = grown(ended, growing, self._next(growing, first.device), end, beams)
        yield found

    def _next(self, growing: Sequence[Hypothesis], device: torch.device) -> Tensor:
        """`growing`: all of the same length. Only their last tokens are new."""
        ids = torch.tensor([[each.ids[-1] for each in growing]], device=device)
        depth = len(growing[0].ids) - 1
        self._nodes += len(growing)
        masks = {kind: self._mask(growing, depth, kind).to(device) for kind in (FULL, SLIDING)}
        return self._after(ids, torch.full_like(ids, self._length + depth), masks)

    def _mask(self, growing: Sequence[Hypothesis], depth: int, kind: str) -> Tensor:
        """[1, 1, N, keys] of tokens at `depth` behind the question."""
        sliding = kind == SLIDING
        known = min(self._length, self._window - 1) if sliding else self._length
        mask = torch.zeros(len(growing), known + self._nodes, dtype=torch.bool)
        mask[:, max(0, known + depth - self._window + 1) if sliding else 0 : known] = True
        for row, each in zip(mask, growing, strict=True):
            seen = each.nodes[-self._window :] if sliding else each.nodes
            row[[known + node for node in seen]] = True
        return mask[None, None]
