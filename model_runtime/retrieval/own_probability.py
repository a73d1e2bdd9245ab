"""Which candidate is best, and how likely is it right, by nothing but the model's own probabilities: the rule
for a model without a calibration.

A candidate's probability is what the model gives to its text and to the text's end there. All candidates
together have the sum of theirs. That sum is shared out among them by how likely each is together with the
known text that follows it: what leads to the known text was probably meant. Nothing here is fitted or set by
hand. Knows no tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from model_runtime.diffusion.interface import BranchScore
from model_runtime.retrieval.reranker import Candidate, Ranked
from model_runtime.retrieval.scaling import Scale


def rank(candidates: Sequence[Candidate], scores: Sequence[BranchScore], scale: Scale) -> list[Ranked]:
    """Best first; `scale` turns probabilities into chances."""
    judged = [
        Ranked(candidate.text, scale.chance(share), frozenset(candidate.sources))
        for candidate, share in zip(candidates, shares(scores), strict=True)
    ]
    return sorted(judged, key=lambda ranked: -ranked.confidence)


def shares(scores: Sequence[BranchScore]) -> list[float]:
    """The probability of each candidate, given what follows. The first token of what follows is the text's
    end; where a score has none, its text ends by itself. An empty score is unknown: it counts as unlikely."""
    nothing = -math.inf
    known = [bool(score.ids or score.after) for score in scores]
    if not any(known):
        return [0.0] * len(scores)
    alone = [sum(s.ids) + sum(s.after[:1]) if k else nothing for s, k in zip(scores, known, strict=True)]
    together = [sum(s.ids) + sum(s.after) if k else nothing for s, k in zip(scores, known, strict=True)]
    most = max(together)
    weights = [math.exp(each - most) for each in together]
    total = min(1.0, sum(math.exp(each) for each in alone))
    return [total * weight / sum(weights) for weight in weights]
