"""Holes cut into a file."""

from __future__ import annotations

import random

import pytest

from model_runtime.training import holes
from tests.support import tiny

LINES = tiny.SOURCE.split("\n")


@pytest.mark.parametrize("kind", holes.CUTTERS)
def test_a_cut_hole_puts_the_file_back_together(kind: holes.Kind) -> None:
    rng = random.Random(1)
    cuts = [c for i in range(len(LINES)) if (c := holes.cut_hole(LINES, i, rng, kind))]
    assert len(cuts) > 5
    for c in cuts:
        rebuilt = [*LINES[: c.line], *(c.head + c.middle + c.tail).split("\n"), *LINES[c.next_line :]]
        assert rebuilt == LINES
        assert c.middle.strip()
