"""Retrieval without the denoiser: the first draft as it is, or the one that the model ranks first."""

from __future__ import annotations

import time

from model_runtime.baselines.greedy import lay
from model_runtime.diffusion.interface import Guess
from model_runtime.inference.drafting import around
from model_runtime.inference.engine import Engine, Fill
from model_runtime.protocol import Infill
from model_runtime.retrieval.retriever import retrieve


def copied(request: Infill) -> Fill:
    """The copy baseline: the continuation of the most similar text, no model at all."""
    started = time.perf_counter()
    text = next((draft.text for draft in retrieve(*around(request), elsewhere=request.context)), "")
    return Fill(
        texts=(text,),
        confidence=1.0,
        steps=0,
        prefill_ms=0.0,
        denoise_ms=(time.perf_counter() - started) * 1000,
        complete=True,
    )


class DraftsAlone:
    """The engine's drafts, ranked and gated as in the engine, with no fill of the model's own. `composed`:
    with the texts that the n-gram model composes, and its probabilities."""

    def __init__(self, engine: Engine, composed: bool = False) -> None:
        self._engine, self._composed = engine, composed

    def __call__(self, request: Infill) -> Fill:
        started = time.perf_counter()
        engine = self._engine
        layout = lay(engine.tokens, request)
        drafts = retrieve(*around(request), elsewhere=request.context)[: engine.tokens.profile.drafts]
        ngrams = engine.drafting.ngrams(request) if self._composed else None
        composed = ngrams.compose()[: engine.tokens.profile.composed] if ngrams else ()
        best, *others = engine.judged(layout, Guess([], []), drafts, ngrams=ngrams, composed=composed)
        return Fill(
            texts=best.texts,
            confidence=best.confidence,
            steps=0,
            prefill_ms=0.0,
            denoise_ms=(time.perf_counter() - started) * 1000,
            complete=True,
            alternatives=tuple(others),
            sources=best.sources,
        )
