"""Which token each masked position would become, and how sure of it the model is, as the Dream family decides
it (Dream's `generation_utils.py`): temperature, then top-p, then top-k, then a draw or the likeliest.

Pure tensors: knows no model and no canvas. Shapes: N positions, V vocabulary. Nothing is sorted: over 152,000
tokens that took longer than the layers of a small model.
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
        probabilities = (logits / self.temperature if self.temperature > 0 else logits).softmax(-1)
        if self.top_p < 1:
            probabilities = _from(least_kept(probabilities, self.top_p), probabilities)
        if 0 < self.top_k < logits.shape[-1]:
            probabilities = _from(probabilities.topk(self.top_k, dim=-1).values[:, -1:], probabilities)
        return probabilities.div_(probabilities.sum(-1, keepdim=True))


def _from(least: Tensor, probabilities: Tensor) -> Tensor:
    """0 where they are below `least` [N, 1]."""
    return torch.where(probabilities >= least, probabilities, 0.0)


def least_kept(probabilities: Tensor, top_p: float) -> Tensor:
    """[N, 1]: the probability of the last token that top-p keeps, the first with which the likeliest ones
    hold more than `top_p`. Tokens exactly as likely as that one are kept too.

    Floats that are not negative are ordered as their bits are. So the upper half of its bits is found by
    adding up what has the same upper half, then the lower one."""
    bits = probabilities.view(torch.int32)
    upper = bits >> _HALF
    held = torch.zeros(len(bits), 1 << _HALF, device=bits.device)
    first, above = _crossed(held.scatter_add_(-1, upper.long(), probabilities), top_p)
    rows, at = (upper == first).nonzero(as_tuple=True)
    lower = rows << _HALF | bits[rows, at] & (1 << _HALF) - 1
    held = held.zero_().flatten().index_add_(0, lower, probabilities[rows, at])
    second, _ = _crossed(held.view(len(bits), -1), top_p - above)
    return (first << _HALF | second).view(torch.float32)


_HALF = 15  # bits; a probability has none above the 30th


def _crossed(held: Tensor, most: float | Tensor) -> tuple[Tensor, Tensor]:
    """Of what each digit holds, [N, digits]: the smallest digit above which all hold at most `most`, and how
    much they hold: [N, 1] each."""
    above = held.flip(-1).cumsum(-1).roll(1, -1)
    above[:, 0] = 0.0
    above = above.flip(-1)
    digit = (above > most).sum(-1, keepdim=True)
    return digit.int(), above.gather(-1, digit)
