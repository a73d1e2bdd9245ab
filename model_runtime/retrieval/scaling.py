"""What a model's own probability of its text is worth: the chance that the text is exactly right.

Models are too sure, or not sure enough. Two numbers for each model correct that (Platt scaling, 1999): the
chance has the log-odds slope * log-odds of the probability + intercept. `infill-ls eval --calibrate` fits
them on holes whose text is known and keeps them in the user's cache folder. A model that comes with a
calibration of its own (`reranker`) does not need them. Loads without torch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import platformdirs

from model_runtime.protocol import Choice

FEWEST = 50  # claims that two numbers can be fitted on
_LEAST = 1e-6  # a probability is at least so far from 0 and 1
_ROUNDS = 100  # of Newton's method, which takes about ten


class Scale(msgspec.Struct, frozen=True):
    slope: float = 1.0
    intercept: float = 0.0

    def chance(self, probability: float) -> float:
        return _sigmoid(self.slope * _log_odds(probability) + self.intercept)

    def after(self, first: Scale) -> Scale:
        """One that does what `first` does and then this one."""
        return Scale(self.slope * first.slope, self.slope * first.intercept + self.intercept)


UNSCALED = Scale()


def path(choice: Choice) -> Path:
    """Where the numbers of a model are kept; the same model on another device or server has the same."""
    served = choice.url if choice.backend == "openai" and choice.model == "embedded" else ""
    named = "\0".join((choice.model, choice.adapter, choice.backend, served))
    name = hashlib.sha256(named.encode()).hexdigest()[:16]
    return Path(platformdirs.user_cache_dir("infill-ls")) / "calibration" / f"{name}.json"


def load(choice: Choice) -> Scale | None:
    """None where nothing was fitted, or what was cannot be read."""
    try:
        return msgspec.json.decode(path(choice).read_bytes(), type=Scale)
    except (OSError, msgspec.DecodeError):
        return None


def save(choice: Choice, scale: Scale) -> Path:
    """Raises OSError."""
    file = path(choice)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(scale))
    return file


def fitted(claims: Sequence[tuple[float, bool]]) -> Scale:
    """The likeliest numbers, given (probability, whether right) of many texts, under a unit Gaussian prior
    around leaving probabilities as they are. A surer text never gets a smaller chance."""
    odds = [_log_odds(probability) for probability, _ in claims]
    right = [float(was) for _, was in claims]
    found = _newton(odds, right)
    return found if found.slope > 0 else Scale(0.0, _newton([0.0] * len(odds), right).intercept)


def _newton(odds: Sequence[float], right: Sequence[float]) -> Scale:
    slope, intercept = 1.0, 0.0
    for _ in range(_ROUNDS):
        chances = [_sigmoid(slope * x + intercept) for x in odds]
        errors = [p - y for p, y in zip(chances, right, strict=True)]
        weights = [p * (1 - p) for p in chances]
        by_slope = sum(e * x for e, x in zip(errors, odds, strict=True)) + slope - 1
        by_intercept = sum(errors) + intercept
        twice_slope = sum(w * x * x for w, x in zip(weights, odds, strict=True)) + 1
        both = sum(w * x for w, x in zip(weights, odds, strict=True))
        twice_intercept = sum(weights) + 1
        determinant = twice_slope * twice_intercept - both * both
        step = (twice_intercept * by_slope - both * by_intercept) / determinant
        other = (twice_slope * by_intercept - both * by_slope) / determinant
        length = max(1.0, abs(step), abs(other))  # far from the optimum a whole step may lead away
        slope, intercept = slope - step / length, intercept - other / length
        if max(abs(step), abs(other)) < 1e-9:
            break
    return Scale(slope, intercept)


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(kept / (1 - kept))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
