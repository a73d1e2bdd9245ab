"""All candidates of the engine, ranked by what retrieval and the n-gram model know: the network proposes, but
does not judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_runtime.diffusion.interface import BranchScore, Guess
from model_runtime.inference import candidates, scoring
from model_runtime.inference.engine import Engine
from model_runtime.inference.scoring import TokenScores
from model_runtime.prompting.layout import Layout
from model_runtime.protocol import Alternative
from model_runtime.retrieval import reranker
from model_runtime.retrieval.ngram import Composition, NgramModel
from model_runtime.retrieval.retriever import Draft


class RankedByTexts(Engine):
    @classmethod
    def of(cls, engine: Engine) -> RankedByTexts:
        other = cls(engine.name, engine.denoiser, engine.tokens, engine.calibration)
        other.drafting.library = engine.drafting.library
        return other

    def judged(
        self,
        layout: Layout,
        guess: Guess,
        drafts: Sequence[Draft],
        known: TokenScores = scoring.nothing_known,
        ngrams: NgramModel | None = None,
        composed: Sequence[Composition] = (),
    ) -> list[Alternative]:
        if not layout.single:
            return super().judged(layout, guess, drafts, known, ngrams, composed)
        found = candidates.gather(self.tokens, layout, guess, drafts, composed)
        if ngrams:
            candidates.score_by_words(found, ngrams)
        unjudged = [replace(each, logprobs=[]) for each in found]
        ranked = reranker.rank(unjudged, [BranchScore([], []) for _ in found], self.calibration)
        return [Alternative((r.text,), r.confidence, tuple(sorted(r.sources))) for r in ranked]
