"""How long is the hole? Policies, injected with a model's profile.

A model that was trained to end a hole with filler gets one slot with slack (`FillerEnds`). One that was
not gets several slots of different lengths in one batch; after the first step the lengths whose mean
confidence is highest, corrected for the bias towards short ones, are denoised on (`CandidateLengths`,
after CAL, arXiv 2602.00476). `FixedLength` is the baseline that both are measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class LengthPolicy(Protocol):
    def sizes(self, most: int) -> list[int]:
        """Slot sizes in tokens to try for a hole of at most `most` tokens of text, one row each."""
        ...

    def keep(self, sizes: Sequence[int], logprobs: Sequence[Sequence[float]]) -> list[int]:
        """Indices of the rows worth denoising on, given each row's log-probabilities after one step."""
        ...

    def end(self, ids: Sequence[int]) -> tuple[int, bool]:
        """(tokens of text at the start of a slot, whether the text is known to end there)."""
        ...

    def filled(self, ids: Sequence[int], most: int) -> list[int]:
        """The ids of a known text as the content of a slot for at most `most` tokens of text."""
        ...


@dataclass(frozen=True)
class FillerEnds:
    """The first `filler` token ends the hole; a hole without one may stop in the middle of a word."""

    filler: int

    def sizes(self, most: int) -> list[int]:
        return [most + 1]

    def keep(self, sizes: Sequence[int], logprobs: Sequence[Sequence[float]]) -> list[int]:
        return list(range(len(sizes)))

    def end(self, ids: Sequence[int]) -> tuple[int, bool]:
        for n, token in enumerate(ids):
            if token == self.filler:
                return n, True
        return len(ids), False

    def filled(self, ids: Sequence[int], most: int) -> list[int]:
        return [*ids, *[self.filler] * (most + 1 - len(ids))]


@dataclass(frozen=True)
class CandidateLengths:
    """Rows of the given lengths; the best `survivors` by first-step confidence less `bias(length)`,
    both mean nats a token, go on."""

    lengths: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    survivors: int = 2
    bias: Callable[[int], float] | None = None  # measured (`loading/length_bias`); None: it was not

    def sizes(self, most: int) -> list[int]:
        return sorted({n for n in self.lengths if n < most} | {most})

    def keep(self, sizes: Sequence[int], logprobs: Sequence[Sequence[float]]) -> list[int]:
        bias = self.bias or (lambda length: 0.0)
        merits = [sum(row) / len(row) - bias(n) for n, row in zip(sizes, logprobs, strict=True)]
        best = sorted(range(len(sizes)), key=lambda i: -merits[i])
        return sorted(best[: self.survivors])

    def end(self, ids: Sequence[int]) -> tuple[int, bool]:
        return len(ids), True

    def filled(self, ids: Sequence[int], most: int) -> list[int]:
        return list(ids)


@dataclass(frozen=True)
class FixedLength:
    """One row, all of it text."""

    length: int

    def sizes(self, most: int) -> list[int]:
        return [min(self.length, most)]

    def keep(self, sizes: Sequence[int], logprobs: Sequence[Sequence[float]]) -> list[int]:
        return list(range(len(sizes)))

    def end(self, ids: Sequence[int]) -> tuple[int, bool]:
        return len(ids), True

    def filled(self, ids: Sequence[int], most: int) -> list[int]:
        return list(ids)
