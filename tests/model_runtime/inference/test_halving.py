"""Denoising again with fewer rows, on a tiny random model whose network says that memory is exhausted."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Sequence

import msgspec
import pytest
import torch

from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.diffusion.interface import OutOfMemory
from model_runtime.inference.engine import Engine
from model_runtime.inference.halving import denoised, halved
from model_runtime.prompting.layout import Tokens
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.training.served import AsServed
from tests.model_runtime.inference.fills import REQUEST, run
from tests.support import tiny


@pytest.mark.parametrize(
    ("numbers", "own", "left"),
    [
        (range(6), 6, [1, 3, 5]),
        ([1, 3, 5], 6, [3]),
        ([0, 1], 2, [1]),
        (range(6), 4, [0, 1, 2, 3]),  # two rows only ask
        ([0, 1], 1, [0]),
    ],
)
def test_the_lengths_that_are_left_lie_apart(numbers: Sequence[int], own: int, left: list[int]) -> None:
    assert halved(numbers, own) == left


class Limited:
    """A denoiser with room for `most` rows of the fill, which notes the sizes of their holes."""

    def __init__(self, denoiser, most: int) -> None:
        self.most, self.tried, self._denoise = most, [], denoiser.denoise

    def denoise(self, prompt, rows, policy, seed):
        self.tried.append([row.pinned.count(False) for row in rows])
        if len(rows) > self.most:
            raise OutOfMemory("too large")
        return (yield from self._denoise(prompt, rows, policy, seed))


def test_long_and_short_holes_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = dataclasses.replace(tiny.STEPS, length=CandidateLengths((1, 2, 4), survivors=1))
    target = Engine("tiny", tiny.denoiser(profile=profile), Tokens(tiny.tokenizer(), profile))
    limited = Limited(target.denoiser, 2)
    monkeypatch.setattr(target.denoiser, "denoise", limited.denoise)
    assert run(target.fill(REQUEST))[0].complete
    assert limited.tried == [[1, 2, 4, 8], [2, 8]]


def test_what_only_asks_goes_first_and_is_not_mistaken_for_a_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = dataclasses.replace(EMBEDDED, filler=None, length=CandidateLengths((1, 2, 4), survivors=1))
    target = Engine("tiny", AsServed(tiny.denoiser()), Tokens(tiny.tokenizer(), profile))
    limited = Limited(target.denoiser, 4)
    monkeypatch.setattr(target.denoiser, "denoise", limited.denoise)
    repeating = msgspec.structs.replace(REQUEST, prefix="    x = alpha\n" * 3)  # drafts are asked about
    answer, _ = run(target.fill(repeating))
    assert answer.complete
    asked, own = limited.tried
    assert own == [1, 2, 4, 8]
    assert len(asked) > 4


def test_nothing_of_the_failed_batch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tensors are gone by the time the smaller batch is computed."""
    denoiser = tiny.denoiser()
    original, taken, alive = denoiser._decode, [], []

    def decode(model, ids, signal, *rest):
        if not taken:
            taken.extend(weakref.ref(each) for each in (ids, signal))
            raise torch.OutOfMemoryError("no room")
        alive.append([each() for each in taken if each() is not None])
        return original(model, ids, signal, *rest)

    monkeypatch.setattr(denoiser, "_decode", decode)
    layout = tiny.tokens().lay(REQUEST)
    rows = [layout.row([size], layout.fixed_width([9])) for size in (4, 9)]
    proposals = list(denoised(denoiser, layout.prompt, rows, 2, EMBEDDED.policy, 0))
    assert [each and each.rows for each in proposals] == [(1,)]
    assert alive == [[]]
