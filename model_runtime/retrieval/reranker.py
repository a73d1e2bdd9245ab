"""Which fill is best, and how likely is it exactly right?

One conditional logit (McFadden 1974) answers both: at most one of a hole's candidates is right, and each
one's share is the softmax of its score, with a zero for "none of them". A score is a weighted sum of the
candidate's features and of a few hidden units over them. The features are what the model thinks of a
candidate (causal log-probability of its text and of the known text it leads to, the denoiser's own
log-probability) and what retrieval knows (how long the agreement was, how near its names stand). The weights
are fitted on held-out holes (`training/calibrate`) and lie beside the model; a model without them is judged
by `own_probability`. Drafts and the model's own fills are judged alike. Knows no tensors.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import msgspec

from model_runtime.diffusion.interface import BranchScore
from model_runtime.retrieval.retriever import Draft
from model_runtime.retrieval.words import Standing

FILE = "calibration.json"
DENOISED_FILE = "calibration.denoised.json"  # for scores of the denoiser's own
_WORDS = re.compile(r"\w+|[^\w\s]")
_LEAST_DENOISED = -30.0  # nats: less is as bad
_LEAST = -40.0  # of a whole candidate: less is as bad


@dataclass
class Candidate:
    """A text for the hole and where it came from; one that came from several places has them all."""

    text: str
    ids: list[int]
    ended: bool = True  # its end is known, not cut off
    logprobs: list[float] = field(default_factory=list)  # nats, its end too, where the denoiser wrote it
    ngram: float | None = None  # nats by the n-gram model, where there is one
    ngram_after: float = 0.0  # nats of the words behind the hole, after this text
    standing: Standing | None = None  # what the hole stands after, where the n-gram model was asked
    inside: bool = False  # text follows the hole on its line
    nearby: Mapping[str, float] = field(default_factory=dict)  # features by `retrieval.nearby`, where asked
    draft: Draft | None = None
    votes: int = 1
    sources: set[str] = field(default_factory=set)

    @property
    def denoised(self) -> float | None:
        """Joint, in nats; None for what the denoiser did not write."""
        return sum(self.logprobs) if self.logprobs else None


@dataclass(frozen=True)
class Ranked:
    text: str
    confidence: float  # in [0, 1]: the chance that it is exactly right
    sources: frozenset[str]


class Unit(msgspec.Struct, frozen=True):
    """A hidden unit: the tanh of a weighted sum of the features."""

    weights: tuple[float, ...]  # in the order of `Calibration.weights`
    height: float  # what it adds to a score, at most


class Calibration(msgspec.Struct, frozen=True):
    """Weights by feature name; a feature without one counts nothing."""

    weights: Mapping[str, float]
    units: tuple[Unit, ...] = ()

    def __post_init__(self) -> None:
        if any(len(unit.weights) != len(self.weights) for unit in self.units):
            raise ValueError("a unit has one weight for each feature")

    def score(self, features: Mapping[str, float]) -> float:
        """The log-odds of a candidate against "none of them"."""
        values = [features.get(name, 0.0) for name in self.weights]
        bends = (unit.height * math.tanh(_dot(unit.weights, values)) for unit in self.units)
        return _dot(self.weights.values(), values) + sum(bends)

    def shares(self, candidates: Sequence[Mapping[str, float]]) -> list[float]:
        """The chance of each of a hole's candidates to be the right one; what is missing to 1: none is."""
        scores = [self.score(features) for features in candidates]
        most = max([0.0, *scores])
        odds = [math.exp(score - most) for score in scores]
        total = sum(odds) + math.exp(-most)
        return [each / total for each in odds]


def _dot(weights: Iterable[float], values: Iterable[float]) -> float:
    return sum(map(operator.mul, weights, values))


# Stands for none, and has no weights: nothing is ranked by it, but by `own_probability`.
UNCALIBRATED = Calibration({})


def load(folder: Path, file: str = FILE) -> Calibration:
    """The calibration beside a model, or `UNCALIBRATED` where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / file).read_bytes(), type=Calibration)
    except (OSError, msgspec.DecodeError):
        return UNCALIBRATED


def features(candidates: Sequence[Candidate], scores: Sequence[BranchScore]) -> list[dict[str, float]]:
    """What the confidence of each of a hole's candidates is made of; each is of the order of 1 to 10. A score
    without any nats is that of a text that the model was not asked about."""
    own = [_own(c, s) for c, s in zip(candidates, scores, strict=True)]
    after = max((each["after"] for each in own), default=0.0)
    ngram = _shares([_least(c.ngram + c.ngram_after) if c.ngram is not None else _LEAST for c in candidates])
    causal = _shares([_least(sum(s.ids) + sum(s.after)) if s.ids else _LEAST for s in scores])
    sure = max((each["denoised_logprob"] for each in own if each["denoised"]), default=_LEAST_DENOISED / 10)
    rivals = math.log(max(1, len(own)))
    return [
        {
            **each,
            "after_best": each["after"] - after,
            "ngram_share": by_ngram,
            "causal_share": by_causal,
            "ngram_inside": each["inside"] * by_ngram,
            "ngram_lead": by_ngram - next_by_ngram,
            "causal_lead": by_causal - next_by_causal,
            "denoiser_sure": sure,
            "rivals": rivals,
        }
        for each, by_ngram, next_by_ngram, by_causal, next_by_causal in zip(
            own, ngram, _best_others(ngram), causal, _best_others(causal), strict=True
        )
    ]


def _shares(nats: Sequence[float]) -> list[float]:
    """The chance of each, were one of them right and nothing else known."""
    most = max(nats, default=0.0)
    odds = [math.exp(each - most) for each in nats]
    return [each / sum(odds) for each in odds]


def _best_others(shares: Sequence[float]) -> list[float]:
    """For each, the largest of the others."""
    best, second = [*sorted(shares, reverse=True), 0.0, 0.0][:2]
    return [second if share == best else best for share in shares]


def _least(nats: float) -> float:
    return max(_LEAST, nats)


def _own(candidate: Candidate, score: BranchScore) -> dict[str, float]:
    """Of one candidate, whatever the others are."""
    n = max(1, len(score.ids or candidate.ids))
    causal = max(-60.0, sum(score.ids))
    draft = candidate.draft
    analogy = float(draft is not None and draft.analogy)
    agreement = 0.0 if draft is None else math.log1p(draft.agreement)
    near = 0.0 if draft is None else 1 / (1 + draft.distance / 10)
    inside = float(candidate.inside)
    words = len(_WORDS.findall(candidate.text))
    lines = math.log1p(candidate.text.count("\n"))
    return {
        "bias": 1.0,
        "causal": causal / 10,
        "causal_mean": max(-10.0, causal / n),
        "causal_worst": max(-15.0, min(score.ids, default=0.0)),
        "unscored": float(not score.ids),  # then all that the score is made of is 0
        "after": max(-20.0, sum(score.after)) / max(1, len(score.after)),
        "tokens": math.log(n),
        "ended": float(candidate.ended),
        "denoised": 0.0 if candidate.denoised is None else 1.0,
        "denoised_logprob": 0.0
        if candidate.denoised is None
        else max(_LEAST_DENOISED, candidate.denoised) / 10,
        "drafted": 0.0 if draft is None else 1.0,
        "analogy": analogy,
        "agreement": agreement,
        "analogy_agreement": analogy * agreement,
        "near": near,
        "analogy_near": analogy * near,
        "places": 0.0 if draft is None else math.log(draft.places),
        "votes": math.log(candidate.votes),
        "composed": float("ngram" in candidate.sources),
        "written": float("encoder" in candidate.sources),
        "characters": math.log1p(len(candidate.text.strip())),
        "words": math.log1p(words),
        "lines": lines,
        "lines_agreement": lines * agreement,
        "name": float(candidate.text.strip().isidentifier()),
        "ngram_mean": 0.0 if candidate.ngram is None else _least(candidate.ngram) / (1 + words),
        "ngram_after": max(-20.0, candidate.ngram_after) / 10,
        "inside": inside,
        **{f"after_{each}": float(candidate.standing == each) for each in get_args(Standing)},
        "inside_denoised": inside * bool(candidate.logprobs),
        "inside_written": inside * ("encoder" in candidate.sources),
        "inside_agreement": inside * agreement,
        **candidate.nearby,
    }


def rank(
    candidates: Sequence[Candidate], scores: Sequence[BranchScore], calibration: Calibration
) -> list[Ranked]:
    """Best first."""
    shares = calibration.shares(features(candidates, scores))
    judged = [
        Ranked(c.text, share, frozenset(c.sources)) for c, share in zip(candidates, shares, strict=True)
    ]
    return sorted(judged, key=lambda r: -r.confidence)
