"""Passes that compute the holes alone, against passes over all; and what both compute."""

from __future__ import annotations

import torch

from model_runtime.local import masked_passes
from model_runtime.local.masked_canvas import Canvas
from model_runtime.local.masked_passes import Passes
from model_runtime.local.surroundings import Surroundings
from model_runtime.network import backbone
from tests.support import tiny_infiller

CANVAS = Canvas((tuple(range(3, 23)), tuple(range(7, 27))), (3,))
MODEL = backbone.bidirectional(tiny_infiller.model("qwen2", 40))


def logits(passes: Passes, *holes: tuple[int, ...], moved: bool = False) -> list[torch.Tensor]:
    with torch.inference_mode():
        return passes.logits([(CANVAS, (hole,)) for hole in holes], moved=moved)


def test_what_is_kept_is_exact_while_the_holes_are_as_they_were() -> None:
    for shifted in (False, True):
        exact, kept = (
            Passes(MODEL, None, shifted=shifted),
            Passes(MODEL, Surroundings(MODEL), shifted=shifted),
        )
        for _ in range(2):
            torch.testing.assert_close(
                logits(exact, (1, 1, 1))[0], logits(kept, (1, 1, 1))[0], atol=1e-4, rtol=1e-4
            )
        assert exact.tokens == 2 * 43
        assert kept.tokens == 43 + 3 + shifted  # the second time the hole alone


def test_a_batch_is_as_its_rows() -> None:
    """Of different lengths, so that all but one are padded."""
    passes = Passes(MODEL, None, shifted=True)
    both = logits(passes, (1, 1, 1), (1, 5))
    for alone, found in zip((logits(passes, (1, 1, 1)), logits(passes, (1, 5))), both, strict=True):
        torch.testing.assert_close(alone[0], found, atol=1e-4, rtol=1e-4)


def test_a_new_length_is_computed_unless_it_may_be_moved() -> None:
    exact = logits(Passes(MODEL, None, shifted=True), (1, 1))[0]
    passes = Passes(MODEL, Surroundings(MODEL), shifted=True)
    logits(passes, (1, 1, 1))
    before = passes.tokens
    moved = logits(passes, (1, 1), moved=True)[0]
    assert passes.tokens - before == 3
    assert (moved - exact).abs().max() > 0  # an approximation
    before = passes.tokens
    torch.testing.assert_close(logits(passes, (1, 1))[0], exact, atol=1e-4, rtol=1e-4)
    assert passes.tokens - before == 42


def test_only_one_of_several_lengths_is_computed_whole() -> None:
    passes = Passes(MODEL, Surroundings(MODEL), shifted=True)
    logits(passes, (1,), (1, 1), (1, 1, 1, 1), moved=True)
    assert passes.tokens == 44 + 2 + 3


def test_other_text_is_not_taken_for_what_is_kept() -> None:
    around = Surroundings(MODEL)
    passes = Passes(MODEL, around, shifted=True)
    logits(passes, (1, 1))
    other = Canvas((CANVAS.known[0], (4, *CANVAS.known[1][1:])), (2,))
    with torch.inference_mode():
        found = passes.logits([(other, ((1, 1),))])[0]
        expected = Passes(MODEL, None, shifted=True).logits([(other, ((1, 1),))])[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_large_batches_are_computed_in_parts(monkeypatch) -> None:
    passes = Passes(MODEL, None, shifted=True)
    whole = logits(passes, (1,), (1, 1), (1, 1, 1))
    monkeypatch.setattr(masked_passes, "TOGETHER", 60)
    for one, other in zip(whole, logits(passes, (1,), (1, 1), (1, 1, 1)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
