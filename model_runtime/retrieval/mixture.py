"""How likely each word is to come next, by what followed like words in the document and its project.

A nested cache model (Hellendoorn and Devanbu, FSE 2017, "Are deep neural networks the best choice for
modeling source code?"): an n-gram model of the document, nearer places counting more, beside one of the
project, the one with the longer match weighing more. Each is smoothed by Witten and Bell's method (1991),
down to the last word. The mass that is left goes to contexts that agree only by kinds of words (name, number,
...). These predict a kind; which word of that kind depends on how near it was last used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_runtime.retrieval.ngram_index import ORDER, Segments

_ENOUGH = 0.02  # of the mass: what is left to shorter contexts that is not worth a look
_ALIKE = 0.005
_REMEMBERED = 200  # contexts

Names = Mapping[int, Sequence[tuple[int, float]]]  # kind -> words of it and their shares
# Mass of each spaced word, the mass in all, what of it is left for words not seen after a context, and the
# longest end of it that was seen.
_Smoothed = tuple[Mapping[int, float], float, float, int]


@dataclass(frozen=True, slots=True)
class Source:
    segment: Segments
    weight: float


@dataclass(frozen=True, slots=True)
class Following:
    """Of the word after a context."""

    shares: Mapping[int, float]  # spaced word (id << 1 | space) -> probability; one spacing for each word
    longest: int  # length in words of the longest context that was seen elsewhere


class Mixture:
    def __init__(
        self,
        exact: Sequence[Source],
        alike: Sequence[Source] = (),
        kind: Callable[[int], int] = lambda word: word,
        names: Names | None = None,
    ) -> None:
        """`exact` are indexes over words, `alike` over their kinds; `names` are the words that a kind
        stands for."""
        self._exact, self._alike = _Smoothing(exact), _Smoothing(alike)
        self._kind, self._names = kind, names or {}
        self._known: dict[tuple[int, ...], Following] = {}

    def naming(self, names: Names) -> Mixture:
        """The same with other names; both remember what does not depend on them."""
        other = Mixture((), (), self._kind, names)
        other._exact, other._alike = self._exact, self._alike
        return other

    def after(self, context: Sequence[int]) -> Following:
        key = tuple(context[-ORDER:])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._mixed(key)
        return known

    def seen(self, word: int, following: frozenset[int]) -> tuple[float, float]:
        """How often a word was seen, and how often one of `following` came after it."""
        seen = after = 0.0
        for source in self._exact.sources:
            for counts in source.segment.following((word,)):
                seen += counts.mass
                after += sum(mass for spaced, mass in counts.words if spaced >> 1 in following)
        return seen, after

    def _mixed(self, context: tuple[int, ...]) -> Following:
        found, total, left, longest = self._exact.after(context)
        mixed = dict(found)
        if self._alike.sources and left > _ALIKE * total:
            kinds, whole, rest, _ = self._alike.after(tuple(map(self._kind, context)))
            scale = left / (whole - rest) if whole > rest else 0.0
            for word, mass in self._named(kinds):
                mixed[word] = mixed.get(word, 0.0) + scale * mass
        return Following(_one_spacing(mixed, total), longest)

    def _named(self, kinds: Mapping[int, float]) -> Iterable[tuple[int, float]]:
        for spaced, mass in kinds.items():
            words = self._names.get(spaced >> 1)
            if words is None:
                yield spaced, mass
            else:
                for word, share in words:
                    yield word << 1 | (spaced & 1), mass * share


class _Smoothing:
    """Sources together, and what was found of the last contexts."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._known: dict[tuple[int, ...], _Smoothed] = {}

    def after(self, context: tuple[int, ...]) -> _Smoothed:
        known = self._known.get(context)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[context] = _smoothed(self.sources, context)
        return known


def _smoothed(sources: Sequence[Source], context: tuple[int, ...]) -> _Smoothed:
    mixed: dict[int, float] = {}
    total = unseen = 0.0
    longest = 0
    for source in sources:
        left, least = source.weight, 0.0
        for n, each in enumerate(source.segment.following(context)):
            if not n:  # the longest match
                left = source.weight * (1 + each.length**2)
                least = _ENOUGH * left
                total += left - source.weight
                longest = max(longest, each.length)
            share = left / (each.mass + each.distinct)
            for word, count in each.words:
                mixed[word] = mixed.get(word, 0.0) + share * count
            left = share * each.distinct
            if left < least:
                break
        total += source.weight
        unseen += left
    return mixed, total, unseen, longest


def _one_spacing(mixed: Mapping[int, float], total: float) -> dict[int, float]:
    """Each word as it is spaced most often, with the mass of both ways, as a share."""
    found: dict[int, float] = {}
    for spaced, mass in mixed.items():
        other = mixed.get(spaced ^ 1, 0.0)
        if mass > other or (mass == other and not spaced & 1):
            found[spaced] = (mass + other) / total
    return found
