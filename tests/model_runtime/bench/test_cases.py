"""The places that are measured."""

from __future__ import annotations

from itertools import pairwise

from model_runtime.bench import cases
from tests.support import tiny


def test_places_are_the_same_each_time_and_keep_to_the_prefix() -> None:
    codec = tiny.tokens()
    for setting in (cases.BASE, cases.Setting(prefix=256), cases.Setting(hole=8)):
        found = list(cases.places(codec, setting, 4))
        assert found == list(cases.places(codec, setting, 4))
        for place in found:
            assert place.prefix.endswith("\n")
            assert 0.7 * setting.prefix < len(codec.encode(place.prefix)) < setting.prefix
            heads = [place.head(k) for k in range(cases.KEYSTROKES + 1)]
            assert all(b.startswith(a) and len(b) == len(a) + 1 for a, b in pairwise(heads))
            assert "\n" not in heads[-1]
