"""How likely a written word is where it stands, compared with other readings of the same place.

The denoiser and the retrieval propose what they would write there, seeing both sides; the causal encoder
scores each proposal, and what stands there, together with the known text that follows. A reading that makes
both itself and what follows far likelier casts doubt. Knows no tensors.
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


def weigh(written: Candidate, others: Sequence[Candidate], scores: Sequence[BranchScore]) -> list[Ranked]:
    """All readings, likeliest first; `scores` has that of `written` first. A confidence is that of the
    reading against what is written; what is written has that against its strongest rival."""
    own, *totals = [(sum(score.ids) + sum(score.after)) / TEMPERATURE for score in scores]
    readings = [(total, each, _odds(total - own)) for total, each in zip(totals, others, strict=True)]
    rival = max(totals, default=-math.inf)
    readings.append((own, written, _odds(own - rival)))
    ordered = sorted(readings, key=lambda reading: -reading[0])
    return [Ranked(each.text, confidence, frozenset(each.sources)) for _, each, confidence in ordered]


def _odds(lead: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, lead))))
