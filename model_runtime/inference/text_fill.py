"""A fill in a language that the model does not write: drafts and texts of the n-gram model, ranked by what
these know. Texts for a hole of several lines are ranked like that in any language. No model, no tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
LINES_FILE = "calibration.lines.json"  # for holes of several lines
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
    best, *others = ranked(found, request.lines, on_scored)
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


def ranked(found: Sequence[Candidate], lines: int, on_scored: OnScored | None = None) -> list[Alternative]:
    """Candidates for a hole of at most so many lines, best first, by what is known without a model."""
    unscored = candidates.unscored(found)
    if on_scored:
        on_scored(list(found), unscored)
    judged = reranker.rank(found, unscored, calibration(LINES_FILE if lines > 1 else FILE))
    return [Alternative((each.text,), each.confidence, tuple(sorted(each.sources))) for each in judged]


@cache
def calibration(file: str = FILE) -> Calibration:
    """It belongs to no model."""
    return reranker.load(Path(reranker.__file__).parent, file)
