"""Composes texts for a hole word by word, the likeliest first. Knows word ids, not text."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from model_runtime.retrieval.mixture import Mixture

MOST = 8  # texts
EXPANDED = 24  # unfinished texts that are extended, at most
BRANCHES = 10  # words that an unfinished text is extended by, the likeliest
LONGEST = 24  # words
_UNSEEN = math.log(1e-4)  # nats of a word that the mixture does not know


@dataclass(frozen=True, slots=True)
class Composed:
    words: tuple[int, ...]  # id << 1 | space
    logprob: float  # nats, the end included


def compose(
    mixture: Mixture,
    context: Sequence[int],
    ends: Callable[[int], bool],
    may_begin: Callable[[int], bool] = lambda spaced: True,
) -> list[Composed]:
    """By best-first search. `context` are the word ids before the hole, `ends` tells the words that follow
    the hole rather than stand in it, `may_begin` the spaced words that a text may begin with."""
    queue: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    done: list[Composed] = []
    lowest = -math.inf  # what is less likely is of no use any more
    for _ in range(EXPANDED):
        if not queue or -queue[0][0] <= lowest:
            break
        cost, words = heapq.heappop(queue)
        shares = mixture.after((*context, *(word >> 1 for word in words))).shares
        if not words:
            shares = _restricted(shares, may_begin)
        for word, share in heapq.nlargest(BRANCHES, shares.items(), key=lambda item: item[1]):
            logprob = math.log(share) - cost
            if logprob <= lowest:
                break
            if not ends(word >> 1):
                if len(words) < LONGEST:
                    heapq.heappush(queue, (-logprob, (*words, word)))
            elif words:
                done.append(Composed(words, logprob))
                if len(done) >= MOST:
                    done = heapq.nlargest(MOST, done, key=lambda each: each.logprob)
                    lowest = done[-1].logprob
    return sorted(done, key=lambda each: -each.logprob)


def logprob(mixture: Mixture, context: Sequence[int], words: Sequence[int]) -> float:
    """Nats of words (ids) after `context`."""
    total, so_far = 0.0, list(context)
    for word in words:
        shares = mixture.after(so_far).shares
        share = shares.get(word << 1, 0.0) or shares.get(word << 1 | 1, 0.0)
        total += math.log(share) if share else _UNSEEN
        so_far.append(word)
    return total


def _restricted(shares: Mapping[int, float], may_begin: Callable[[int], bool]) -> dict[int, float]:
    """Only words that may begin a text, as shares of these."""
    kept = {word: share for word, share in shares.items() if may_begin(word)}
    whole = sum(kept.values())
    return {word: share / whole for word, share in kept.items()}
