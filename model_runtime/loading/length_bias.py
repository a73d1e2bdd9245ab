"""How sure a model is of holes of each length, whatever is written there: measured on this machine's holes,
kept in the user's cache, and taken off when lengths are compared (`diffusion/hole_length`, after CAL, arXiv
2602.00476).

`infill-ls eval --calibrate-lengths` measures it. Loads without torch.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from model_runtime.protocol import Choice
from model_runtime.retrieval import scaling

FEWEST = 20  # holes that a bias is measured on


class LengthBias(msgspec.Struct, frozen=True):
    """Mean log-probability of a token after the first step, in nats, by length in tokens; lengths ascend."""

    lengths: tuple[int, ...]
    nats: tuple[float, ...]

    def __call__(self, length: int) -> float:
        """Between measured lengths by the logarithm of the length, beyond them as at the nearest."""
        at = bisect.bisect_left(self.lengths, length)
        if at < len(self.lengths) and self.lengths[at] == length:
            return self.nats[at]
        if at in (0, len(self.lengths)):
            return self.nats[max(0, at - 1)]
        low, high = self.lengths[at - 1], self.lengths[at]
        share = math.log(length / low) / math.log(high / low)
        return self.nats[at - 1] + share * (self.nats[at] - self.nats[at - 1])


def measured(confidences: Mapping[int, Sequence[float]]) -> LengthBias:
    """From the mean log-probabilities that holes of each length got, one from each place."""
    lengths = tuple(sorted(n for n, seen in confidences.items() if seen))
    return LengthBias(lengths, tuple(sum(confidences[n]) / len(confidences[n]) for n in lengths))


def path(choice: Choice) -> Path:
    """Beside the model's other numbers."""
    return scaling.path(choice).with_suffix(".lengths.json")


def load(choice: Choice) -> LengthBias | None:
    """None where nothing was measured, or what was cannot be read."""
    try:
        found = msgspec.json.decode(path(choice).read_bytes(), type=LengthBias)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.lengths and len(found.lengths) == len(found.nats) else None


def save(choice: Choice, bias: LengthBias) -> Path:
    """Raises OSError."""
    file = path(choice)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(bias))
    return file
