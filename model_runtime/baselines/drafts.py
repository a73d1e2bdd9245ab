"""Without the denoiser: the first draft as it is, or the text that the model ranks first."""

from __future__ import annotations

import time
from dataclasses import replace

from model_runtime.baselines.greedy import lay
from model_runtime.diffusion.results import result
from model_runtime.inference import candidates
from model_runtime.inference.candidates import Offers
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
    """The engine's drafts, ranked and gated as in the engine, with no fill of the denoiser's. `others`: with
    the texts of the causal encoder and of the n-gram model, and what the latter knows."""

    def __init__(self, engine: Engine, others: bool = False) -> None:
        self._engine, self._others = engine, others

    def __call__(self, request: Infill) -> Fill:
        started = time.perf_counter()
        engine = self._engine
        layout = lay(engine.tokens, request)
        profile = engine.tokens.profile
        found = retrieve(*around(request), request.lines, request.context)[: profile.drafts]
        offers = Offers(drafts=candidates.fitting(engine.tokens, layout, found))
        ngrams = None
        if self._others:
            ngrams = engine.drafting.ngrams(request)
            composed = ngrams.compose()[: profile.composed] if ngrams else ()
            written = result(engine.written(layout)) if request.lines == 1 else ()
            offers = replace(offers, composed=composed, written=written)
        best, *others = engine.judged(layout, offers, ngrams=ngrams, lines=request.lines)
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
