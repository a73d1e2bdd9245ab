"""Composes texts for a hole word by word, the likeliest first. Knows word ids, not text."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from model_runtime.retrieval.mixture import Mixture

State = str  # the brackets that are open, the innermost last

MOST = 8  # texts
EXPANDED = 40  # unfinished texts that are extended, at most
BRANCHES = 10  # words that an unfinished text is extended by, the likeliest
ENOUGH = 0.9  # probability: when texts of so much are found, the search ends
LONGEST = 24  # words
UNSEEN = 1e-4  # probability of a word that the mixture does not know


@dataclass(frozen=True, slots=True)
class Composed:
    words: tuple[int, ...]  # id << 1 | space
    logprob: float  # nats, the end included


class Line(Protocol):
    """What a text is a part of. It knows which brackets are open by now: a `State`, never changed."""

    start: State

    def after(self, state: State, word: int) -> State | None:
        """With one more word; None where that may not stand."""
        ...

    def may_end(self, state: State, last: int) -> bool:
        """Whether the text may end here, its last word being `last`."""
        ...


def compose(
    mixture: Mixture,
    context: Sequence[int],
    ends: Callable[[int], bool],
    may_begin: Callable[[int], bool] = lambda spaced: True,
    line: Line | None = None,
) -> list[Composed]:
    """By best-first search. `context` are the word ids before the hole, `ends` tells the words that follow
    the hole rather than stand in it, `may_begin` the spaced words that a text may begin with."""
    queue: list[tuple[float, tuple[int, ...], State]] = [(0.0, (), line.start if line else "")]
    done: list[Composed] = []
    lowest = -math.inf  # what is less likely is of no use any more
    whole = 0.0  # probability of what is done
    for _ in range(EXPANDED):
        if not queue or -queue[0][0] <= lowest or whole > ENOUGH:
            break
        cost, words, state = heapq.heappop(queue)
        shares = mixture.after((*context, *(word >> 1 for word in words))).shares
        if not words:
            shares = _restricted(shares, may_begin)
        for word, share in heapq.nlargest(BRANCHES, shares.items(), key=lambda item: item[1]):
            logprob = math.log(share) - cost
            if logprob <= lowest:
                break
            if not ends(word >> 1):
                further = line.after(state, word >> 1) if line else state
                if further is not None and len(words) < LONGEST:
                    heapq.heappush(queue, (-logprob, (*words, word), further))
            elif words and (not line or line.may_end(state, words[-1] >> 1)):
                done.append(Composed(words, logprob))
                whole += math.exp(logprob)
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
        total += math.log(share or UNSEEN)
        so_far.append(word)
    return total


def _restricted(shares: Mapping[int, float], may_begin: Callable[[int], bool]) -> dict[int, float]:
    """Only words that may begin a text, as shares of these."""
    kept = {word: share for word, share in shares.items() if may_begin(word)}
    whole = sum(kept.values())
    return {word: share / whole for word, share in kept.items()}
