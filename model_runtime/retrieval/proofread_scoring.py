"""How likely a written word is where it stands, compared with other readings of the same place.

The denoiser and the retrieval propose what they would write there, seeing both sides; the causal encoder
scores each proposal, and what stands there, together with the known text that follows. A reading that makes
both itself and what follows far likelier casts doubt. Where there is no encoder to ask, the denoiser's own
log-probabilities are compared, token for token. Knows no tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from model_runtime.diffusion.interface import BranchScore
from model_runtime.retrieval.reranker import Candidate, Ranked

AFTER = 12  # suffix tokens that a reading is judged by

# Nats that make odds grow e-fold. The encoder's own odds (1.0) are far too sure of themselves: of the
# words that another reading led by ten nats, six in ten had been altered (benchmarks/proofread.py).
TEMPERATURE = 8.0
# Nats a token, for the denoiser's: it takes positions to be independent, so sums of them say less than means.
# On dev lines three in four of the words that another reading led so far had been altered.
DENOISED_TEMPERATURE = 2.1


def weigh(
    written: Candidate, others: Sequence[Candidate], scores: Sequence[BranchScore], *, causal: bool = True
) -> list[Ranked]:
    """All readings, likeliest first; `scores` has that of `written` first. `causal`: they are the encoder's,
    not the denoiser's. A confidence is that of the reading against what is written; what is written has that
    against its strongest rival."""
    if not scores[0].ids:
        return [Ranked(written.text, 1.0, frozenset(written.sources))]  # nothing to compare with
    weight = _by_encoder if causal else _by_denoiser
    own = weight(scores[0])
    rivals = [(weight(score), each) for each, score in zip(others, scores[1:], strict=True) if score.ids]
    readings = [(total, each, _odds(total - own)) for total, each in rivals]
    strongest = max((total for total, _ in rivals), default=-math.inf)
    readings.append((own, written, _odds(own - strongest)))
    ordered = sorted(readings, key=lambda reading: -reading[0])
    return [Ranked(each.text, confidence, frozenset(each.sources)) for _, each, confidence in ordered]


def _by_encoder(score: BranchScore) -> float:
    return (sum(score.ids) + sum(score.after)) / TEMPERATURE


def _by_denoiser(score: BranchScore) -> float:
    return sum(score.ids) / len(score.ids) / DENOISED_TEMPERATURE


def _odds(lead: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, lead))))
