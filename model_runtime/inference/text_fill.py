"""A fill in a language that the model does not write: drafts and texts of the n-gram model, ranked by what
these know. No model, no tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import BranchScore
from model_runtime.diffusion.results import Fill
from model_runtime.prompting.profiles import Profile
from model_runtime.protocol import Alternative, Infill
from model_runtime.retrieval import reranker
from model_runtime.retrieval.reranker import Calibration, Candidate

from . import candidates
from .drafting import Drafting, single

FILE = "calibration.texts.json"
OnScored = Callable[[list[Candidate], list[BranchScore]], None]


def serves(request: Infill, profile: Profile) -> bool:
    """Whether a request is filled without the model: one hole, in a language that the model was not trained
    on."""
    foreign = profile.languages is not None and request.language not in ("", *profile.languages)
    return foreign and single(request) and not request.original


def fill(request: Infill, drafting: Drafting, on_scored: OnScored | None = None) -> Fill:
    """`on_scored` gets the candidates before they are ranked. Raises Unfillable."""
    started = time.perf_counter()
    ngrams = drafting.ngrams(request)
    found = candidates.without_model(drafting.drafts(request), ngrams.compose() if ngrams else ())
    if not found:
        raise Unfillable("failed", f"the model does not write {request.language}; no other text goes on so")
    if ngrams:
        candidates.score_by_words(found, ngrams)
    unscored = [BranchScore([], []) for _ in found]
    if on_scored:
        on_scored(found, unscored)
    ranked = reranker.rank(found, unscored, calibration())
    best, *others = [Alternative((r.text,), r.confidence, tuple(sorted(r.sources))) for r in ranked]
    drafting.remember(request, best.texts)
    return Fill(
        texts=best.texts,
        confidence=best.confidence,
        steps=0,
        prefill_ms=0.0,
        denoise_ms=(time.perf_counter() - started) * 1000,
        complete=True,
        alternatives=tuple(others[: request.alternatives]),
        sources=best.sources,
    )


@cache
def calibration() -> Calibration:
    """It belongs to no model."""
    return reranker.load(Path(reranker.__file__).parent, FILE)
