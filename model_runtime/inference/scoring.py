"""How likely the model finds texts for a hole: by its causal encoder where the denoiser has one to ask, else
by what the denoiser itself said.

The latter in two ways. A model that ends its holes says after one step how likely any text is there, position
by position, as if these were independent. One that does not needs a hole of the text's own length: a row that
holds the text, denoised for one step along with the others. Neither costs a round of its own. No tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_runtime.diffusion.interface import Branch, BranchScore, Denoiser, Proposal, Row, Scoring
from model_runtime.prompting.layout import Layout, Tokens
from model_runtime.retrieval.reranker import Candidate

UNSEEN = 2.0  # nats that a token lies below the least likely one that is known at its place
UNHEARD = -15.0  # nats a token of a text that nothing was said of

Ids = tuple[int, ...]
# What the denoiser said of texts that it did not write, nats a token; of a text that is missing, nothing.
Heard = Mapping[Ids, list[float]]
NOTHING: Heard = {}


def probes(denoiser: Denoiser, tokens: Tokens, layout: Layout, texts: Sequence[Ids], width: int) -> list[Row]:
    """Rows whose first step says how likely each text is, in that order; none where none is needed."""
    if isinstance(denoiser, Scoring) or tokens.profile.filler is not None:
        return []
    return [layout.row([ids], width) for ids in texts]


def heard(
    denoiser: Denoiser, tokens: Tokens, layout: Layout, texts: Sequence[Ids], own: int, first: Proposal
) -> Heard:
    """`first`: after one step, of `own` rows and the probes behind them. Not read where it need not be."""
    if isinstance(denoiser, Scoring) or not texts:
        return NOTHING
    said = first.read().likeliest
    if tokens.profile.filler is not None:
        return {ids: _read(_whole(tokens, layout, ids), said[0]) for ids in texts}
    return {ids: _read(ids, row) for ids, row in zip(texts, said[own:], strict=False)}


def scores(
    denoiser: Denoiser, layout: Layout, found: Sequence[Candidate], after: int, said: Heard
) -> list[BranchScore]:
    """Of each candidate; `after`: tokens after the hole that a causal encoder takes into account."""
    if isinstance(denoiser, Scoring):
        branches = [Branch(candidate.ids, layout.suffix[:after]) for candidate in found]
        return denoiser.score(layout.prompt, layout.head, branches)
    return [BranchScore(_own(candidate, said), []) for candidate in found]


def _own(candidate: Candidate, said: Heard) -> list[float]:
    lost = [UNHEARD] * max(1, len(candidate.ids))
    return candidate.logprobs or said.get(tuple(candidate.ids), lost)


def _whole(tokens: Tokens, layout: Layout, ids: Ids) -> list[int]:
    """A text and the token that ends it, where there is room for one."""
    return tokens.profile.length.filled(ids, layout.slots[0])[: len(ids) + 1]


def _read(ids: Sequence[int], said: Sequence[Mapping[int, float]]) -> list[float]:
    return [at.get(token, min(at.values()) - UNSEEN) for token, at in zip(ids, said, strict=False)]
