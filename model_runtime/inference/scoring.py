"""How likely the model finds texts for a hole: by its causal encoder where the denoiser is `Scoring`, else by
the denoiser's own first step, or by what it would write in a text's place where it is `PseudoScoring`.

The latter is read in two ways. A model with a filler gives every text a probability after one step, position
by position, as if positions were independent. A model without one needs a hole of the text's own length: a
*probe*, a row that holds the text and is denoised for one step along with the others. Neither costs a round
of its own. No tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from model_runtime.diffusion.interface import (
    Branch,
    BranchScore,
    Denoiser,
    Proposal,
    PseudoScoring,
    Row,
    Scoring,
)
from model_runtime.prompting.layout import Layout, Tokens
from model_runtime.retrieval.reranker import Candidate

UNSEEN = 2.0  # nats that a token lies below the least likely one that is known at its place

Ids = tuple[int, ...]
# The denoiser's log-probabilities, in nats a token, of a text that it did not write; None: not known.
TokenScores = Callable[[Ids], list[float] | None]


def nothing_known(ids: Ids) -> None:
    """`TokenScores` where nobody has been asked."""


def probes(denoiser: Denoiser, tokens: Tokens, layout: Layout, texts: Sequence[Ids], width: int) -> list[Row]:
    """One probe for each text, in that order; none where texts are scored without."""
    if isinstance(denoiser, Scoring | PseudoScoring) or tokens.profile.filler is not None:
        return []
    return [layout.row([ids], width) for ids in texts]


def first_step(
    denoiser: Denoiser, tokens: Tokens, layout: Layout, texts: Sequence[Ids], own: int, first: Proposal
) -> TokenScores:
    """What the `first` step tells about texts for a single hole: about any that has room in it where the
    model has a filler, else about those of `texts`, which were probed. Its rows are `own` rows of the fill,
    then the probes. It is not read where that is not needed."""
    if isinstance(denoiser, Scoring | PseudoScoring) or not layout.single:
        return nothing_known
    likeliest = first.read().likeliest
    if tokens.profile.filler is not None:
        return lambda ids: _read(_whole(tokens, layout, ids), likeliest[0])
    asked = {number - own: row for number, row in zip(first.rows, likeliest, strict=True) if number >= own}
    probed = {ids: _read(ids, asked[at]) for at, ids in enumerate(texts) if at in asked}
    return probed.get


def scores(
    denoiser: Denoiser,
    tokens: Tokens,
    layout: Layout,
    found: Sequence[Candidate],
    after: int,
    known: TokenScores,
) -> list[BranchScore]:
    """One score per candidate; it is empty where nothing is known. `after`: tokens after the hole that a
    causal encoder takes into account which does not have them in sight."""
    if isinstance(denoiser, Scoring):
        order = tokens.profile.fim
        following = [order.end] if order else layout.suffix[:after]
        return denoiser.score(*tokens.question(layout), [Branch(each.ids, following) for each in found])
    if isinstance(denoiser, PseudoScoring):
        width = max((layout.fixed_width([len(each.ids)]) for each in found), default=0)
        rows = [layout.row([each.ids], width) for each in found if each.ids]
        told = iter(denoiser.pseudo_scores(layout.prompt, rows) if rows else ())
        return [BranchScore(next(told) if each.ids else [], []) for each in found]
    return [BranchScore(each.logprobs or known(tuple(each.ids)) or [], []) for each in found]


def _whole(tokens: Tokens, layout: Layout, ids: Ids) -> list[int]:
    """A text and the token that ends it, where there is room for one."""
    return tokens.profile.length.filled(ids, layout.slots[0])[: len(ids) + 1]


def _read(ids: Sequence[int], likeliest: Sequence[Mapping[int, float]]) -> list[float]:
    return [at.get(token, min(at.values()) - UNSEEN) for token, at in zip(ids, likeliest, strict=False)]
