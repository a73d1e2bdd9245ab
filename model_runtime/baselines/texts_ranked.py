"""All candidates of the engine, ranked by what retrieval and the n-gram model know: the network proposes, but
does not judge. The re-ranker is the one that was fitted without the network, for languages it does not know.
"""

from __future__ import annotations

from dataclasses import replace

from model_runtime.inference import candidates, scoring, text_fill
from model_runtime.inference.candidates import Offers
from model_runtime.inference.engine import Engine
from model_runtime.inference.scoring import TokenScores
from model_runtime.prompting.layout import Layout
from model_runtime.protocol import Alternative
from model_runtime.retrieval.ngram import NgramModel


class RankedByTexts(Engine):
    @classmethod
    def of(cls, engine: Engine) -> RankedByTexts:
        other = cls(engine.name, engine.denoiser, engine.tokens, text_fill.calibration())
        other.drafting.library = engine.drafting.library
        return other

    def judged(
        self,
        layout: Layout,
        offers: Offers,
        known: TokenScores = scoring.nothing_known,
        ngrams: NgramModel | None = None,
        lines: int = 1,
    ) -> list[Alternative]:
        if not layout.single:
            return super().judged(layout, offers, known, ngrams, lines)
        found = candidates.gather(self.tokens, layout, offers)
        if ngrams:
            candidates.score_by_words(found, ngrams)
        return text_fill.ranked([replace(each, logprobs=[]) for each in found], lines)
