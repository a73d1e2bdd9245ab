from __future__ import annotations

import pytest

from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds, FixedLength


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([8, 9, 3, 3], (2, True)), ([3, 8], (0, True)), ([8, 9], (2, False)), ([], (0, False))],
)
def test_the_first_filler_ends_a_hole(ids: list[int], expected: tuple[int, bool]) -> None:
    assert FillerEnds(3).end(ids) == expected


def test_a_known_text_is_filled_up() -> None:
    assert FillerEnds(3).filled([8, 9], most=4) == [8, 9, 3, 3, 3]
    assert CandidateLengths().filled([8, 9], most=4) == [8, 9]


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (5, [1, 2, 4, 5]), (100, [1, 2, 4, 8, 16, 32, 100])])
def test_candidate_lengths_never_exceed_the_hole(most: int, sizes: list[int]) -> None:
    assert CandidateLengths().sizes(most) == sizes


def test_the_most_confident_lengths_survive_bias_corrected() -> None:
    first_step = [[-1.0], [-0.5] * 2, [-0.6] * 4]
    assert CandidateLengths().keep([1, 2, 4], first_step) == [1, 2]
    short_ones_look_good = CandidateLengths(bias=lambda n: 0.6 if n == 2 else 0.0)
    assert short_ones_look_good.keep([1, 2, 4], [[-0.9], [-0.5] * 2, [-0.6] * 4]) == [0, 2]


def test_a_fixed_length_is_all_text() -> None:
    policy = FixedLength(8)
    assert policy.sizes(4) == [4]
    assert policy.sizes(20) == [8]
    assert policy.end([3, 3]) == (2, True)
