"""Between the engine and the denoiser: which rows go into a batch, and what comes out as candidates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from model_runtime.diffusion.interface import BranchScore, Guess, Proposal, Row, Written
from model_runtime.prompting.layout import Layout, Tokens
from model_runtime.retrieval import reranker
from model_runtime.retrieval.ngram import Composition, NgramModel
from model_runtime.retrieval.reranker import Calibration, Candidate
from model_runtime.retrieval.retriever import Draft

Content = Sequence[Sequence[int] | int]  # of a row's slots: ids, or noise of that many tokens
NOTHING = Guess([], [])
NETWORK = {"denoiser", "encoder"}  # sources


@dataclass(frozen=True)
class Offers:
    """What is proposed for a single hole, by who proposes it."""

    guess: Guess = NOTHING  # the denoiser's
    written: Sequence[Written] = ()  # by the causal encoder
    drafts: Sequence[Draft] = ()
    composed: Sequence[Composition] = ()  # by the n-gram model


def rows(
    tokens: Tokens, layout: Layout, starting: Sequence[str], candidates: int
) -> tuple[list[Row], list[int]]:
    """Noise rows, one for each length and candidate, then those that start from a text; and their hole
    sizes."""
    profile = tokens.profile
    contents: list[Content] = []
    if layout.single:
        most = layout.slots[0]
        contents += [[size] for size in profile.length.sizes(most) for _ in range(max(1, candidates))]
        for text in starting:
            if 0 < len(ids := tokens.encode(layout.typed + text)) <= most:
                contents.append([profile.length.filled(ids, most)])
    else:
        contents.append(_slot_sizes(tokens, layout))
    sizes = [sum(c if isinstance(c, int) else len(c) for c in content) for content in contents]
    width = max(layout.fixed_width([size]) for size in sizes)
    starts = tokens.starts(layout.typed) if layout.typed else None
    return [layout.row(content, width, starts) for content in contents], sizes


def fitting(tokens: Tokens, layout: Layout, drafts: Sequence[Draft]) -> list[Draft]:
    """Drafts of several lines with only as many of their lines as the hole has room for."""

    def fitted(draft: Draft) -> Draft:
        text = draft.text
        while "\n" in text and len(tokens.encode(layout.typed + text)) > layout.slots[0]:
            text = text.rpartition("\n")[0].rstrip()
        return replace(draft, text=text)

    return [fitted(draft) for draft in drafts]


def foreign(tokens: Tokens, layout: Layout, drafts: Sequence[Draft], original: str) -> list[tuple[int, ...]]:
    """The texts for a single hole, in ids, that are judged though the denoiser did not write them."""
    if not layout.single:
        return []
    said = [layout.typed + draft.text for draft in drafts] + ([original] if original else [])
    found = dict.fromkeys(tuple(tokens.encode(text)) for text in said)
    return [ids for ids in found if 0 < len(ids) <= layout.slots[0]]


def without_probes(proposal: Proposal, own: int) -> Guess:
    """What the first `own` rows say, as far as they are still in it."""
    guess, left = proposal.read(), sum(row < own for row in proposal.rows)
    return Guess(guess.ids[:left], guess.logprobs[:left], guess.likeliest[:left])


def texts(tokens: Tokens, layout: Layout, ids: Sequence[int]) -> tuple[str, ...]:
    """What a row's hole ids say, one text per slot."""
    found = [tokens.decode(ids[at][: tokens.profile.length.end(ids[at])[0]]) for at in _slots(tokens, layout)]
    return (found[0].removeprefix(layout.typed), *found[1:])


def joint(tokens: Tokens, layout: Layout, ids: Sequence[int], logprobs: Sequence[float]) -> float:
    """Probability of a row's texts and their ends, as if positions were independent."""
    total = 0.0
    for at in _slots(tokens, layout):
        n, ended = tokens.profile.length.end(ids[at])
        total += sum(logprobs[at][: n + ended])
    return min(1.0, math.exp(total))


def gather(tokens: Tokens, layout: Layout, offers: Offers) -> list[Candidate]:
    """The different texts that are offered; never empty."""
    found = _Distinct()
    for ids, logprobs in zip(offers.guess.ids, offers.guess.logprobs, strict=True):
        n, ended = tokens.profile.length.end(ids)
        if candidate := _said(tokens, layout, ids[:n], ended):
            candidate.logprobs = list(logprobs[: n + ended])
            found.add(candidate, "denoiser")
    for each in offers.written:
        if each.ended and (candidate := _said(tokens, layout, each.ids, ended=True)):
            found.add(candidate, "encoder")
    for candidate, source in _proposed(offers.drafts, offers.composed):
        candidate.ids = tokens.encode(layout.typed + candidate.text)
        if len(candidate.ids) <= layout.slots[0]:
            found.add(candidate, source)
    return found.candidates or [Candidate("", [])]


def without_model(drafts: Sequence[Draft], composed: Sequence[Composition]) -> list[Candidate]:
    """As `gather`, of what needs no model; may be empty, and no candidate has ids."""
    found = _Distinct()
    for candidate, source in _proposed(drafts, composed):
        found.add(candidate, source)
    return found.candidates


def score_by_words(found: Sequence[Candidate], ngrams: NgramModel) -> None:
    """Note what the n-gram model thinks of each candidate, and how near its names stand."""
    for each in found:
        each.ngram, each.ngram_after = ngrams.scored(each.text)
        each.standing, each.inside = ngrams.standing, ngrams.inside
        each.nearby = ngrams.nearby.features(each.text)


def to_start_from(
    drafts: Sequence[Draft], ngrams: NgramModel | None, most: int, calibration: Calibration
) -> list[str]:
    """The likeliest texts that were found or composed, as far as that is known without the network."""
    found = without_model(drafts, ngrams.compose() if ngrams else ()) if most else []
    if ngrams:
        score_by_words(found, ngrams)
    return [each.text for each in reranker.rank(found, unscored(found), calibration)[:most]]


def likeliest(found: Sequence[Candidate], most: int, calibration: Calibration) -> list[Candidate]:
    """The `most` candidates that are likeliest by what is known without the network, and those that the
    network wrote, in their order. `calibration` is that of texts which no network has scored."""
    shares = calibration.shares(reranker.features(found, unscored(found)))
    kept = sorted(range(len(found)), key=lambda i: -shares[i])[:most]
    return [each for i, each in enumerate(found) if i in kept or each.sources & NETWORK]


def unscored(found: Sequence[Candidate]) -> list[BranchScore]:
    """The scores of candidates that no network was asked about."""
    return [BranchScore([], []) for _ in found]


def _proposed(drafts: Sequence[Draft], composed: Sequence[Composition]) -> Iterator[tuple[Candidate, str]]:
    for draft in drafts:
        yield Candidate(draft.text, [], draft=draft), "draft"
    for each in composed:
        yield Candidate(each.text, []), "ngram"


def _said(tokens: Tokens, layout: Layout, ids: Sequence[int], ended: bool) -> Candidate | None:
    """The text that ids say, where it begins with what is typed."""
    whole = tokens.decode(ids)
    if not whole.startswith(layout.typed):
        return None
    return Candidate(whole.removeprefix(layout.typed), tokens.encode(whole), ended)


class _Distinct:
    """Candidates by text. What is proposed again adds its vote, its source and its better draft."""

    def __init__(self) -> None:
        self._found: dict[str, Candidate] = {}

    @property
    def candidates(self) -> list[Candidate]:
        return list(self._found.values())

    def add(self, candidate: Candidate, source: str) -> None:
        known = self._found.setdefault(candidate.text.rstrip(), candidate)
        known.votes += known is not candidate
        known.draft = max(known.draft, candidate.draft, key=lambda draft: draft.agreement if draft else -1)
        known.sources.add(source)


def _slot_sizes(tokens: Tokens, layout: Layout) -> list[int]:
    """With several holes each has the most room its length policy gives."""
    return [tokens.profile.length.sizes(most)[-1] for most in layout.slots]


def _slots(tokens: Tokens, layout: Layout) -> list[slice]:
    """Where each slot's ids are among a row's hole ids."""
    if layout.single:
        return [slice(None)]
    sizes = _slot_sizes(tokens, layout)
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
