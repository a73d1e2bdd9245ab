"""Which token each masked position would become, and how sure of it the model is, as the Dream family decides
it (Dream's `generation_utils.py`): temperature, then top-p, then top-k, then a draw or the likeliest.

Pure tensors: knows no model and no canvas. Shapes: N positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model_runtime.diffusion.policy import Noise

Confidence = Callable[[Tensor, Tensor], Tensor]  # (probabilities [N, V], chosen [N]) -> [N]; larger is surer


def probability(probabilities: Tensor, chosen: Tensor) -> Tensor:
    """Of the chosen token (`maskgit_plus`)."""
    return probabilities.gather(-1, chosen[:, None])[:, 0]


def margin(probabilities: Tensor, chosen: Tensor) -> Tensor:
    """How far the likeliest token leads the second (`topk_margin`)."""
    top = probabilities.topk(2, dim=-1).values
    return top[:, 0] - top[:, 1]


def negative_entropy(probabilities: Tensor, chosen: Tensor) -> Tensor:
    """In nats (`entropy`)."""
    return (probabilities * torch.log(probabilities + 1e-10)).sum(-1)


@dataclass(frozen=True)
class TokenChoice:
    """`temperature` 0: the likeliest token, no draw. `top_p` 1 and `top_k` 0: all tokens. The confidence is
    taken over the tokens that are left."""

    confidence: Confidence = negative_entropy
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0

    def choose(self, logits: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """From raw `logits` [N, V]: (ids [N], confidence [N])."""
        probabilities = self._probabilities(logits)
        greedy = self.temperature <= 0
        ids = probabilities.argmax(-1) if greedy else noise.sample(probabilities)
        return ids, self.confidence(probabilities, ids)

    def _probabilities(self, logits: Tensor) -> Tensor:
        if self.temperature > 0:
            logits = logits / self.temperature
        if self.top_p < 1:
            ranked, order = logits.sort(-1, descending=True)
            over = ranked.softmax(-1).cumsum(-1) > self.top_p
            over = torch.cat(
                [torch.zeros_like(over[:, :1]), over[:, :-1]], -1
            )  # the first one above it stays
            logits = logits.masked_fill(torch.zeros_like(over).scatter(-1, order, over), float("-inf"))
        if 0 < self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k, dim=-1).values[:, -1:]
            logits = logits.masked_fill(logits < least, float("-inf"))
        return logits.softmax(-1)
