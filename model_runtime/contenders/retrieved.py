"""Retrieval without the denoiser: the best draft as it is, or the one that the model thinks best."""

from __future__ import annotations

import time

from model_runtime.contenders.greedy import laid
from model_runtime.denoiser import Guess
from model_runtime.drafts import retrieve
from model_runtime.engine import Engine, Fill, around
from model_runtime.protocol import Infill


def copied(request: Infill) -> Fill:
    """The copy baseline: the continuation of the most similar text, no model at all."""
    started = time.perf_counter()
    text = next((draft.text for draft in retrieve(*around(request), elsewhere=request.context)), "")
    return Fill((text,), 1.0, 0, 0.0, (time.perf_counter() - started) * 1000, True)


class DraftsAlone:
    """The engine's drafts, ranked and gated as in the engine, with no fill of the model's own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, request: Infill) -> Fill:
        started = time.perf_counter()
        engine = self._engine
        layout = laid(engine.tokens, request)
        drafts = retrieve(*around(request), elsewhere=request.context)[: engine.tokens.profile.drafts]
        best, *others = engine.judged(layout, Guess([], []), drafts)
        ms = (time.perf_counter() - started) * 1000
        return Fill(best.texts, best.confidence, 0, 0.0, ms, True, tuple(others), best.sources)
