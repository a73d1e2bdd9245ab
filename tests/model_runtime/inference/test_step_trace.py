"""What a step shows of the canvas."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

import msgspec

from model_runtime.protocol import Fixed, Slot
from tests.model_runtime.inference.fills import REQUEST, engine


def test_what_a_step_finds_and_leaves_on_the_canvas() -> None:
    """The picture of a fill is made of it: every step finds what the one before left, and noise elsewhere."""
    target, seen = engine(), []
    request = msgspec.structs.replace(REQUEST, canvas=(Fixed("x = "), Slot(6), Fixed("\ny = "), Slot(4)))
    fill = target.fill(request)
    with contextlib.suppress(StopIteration):
        while True:
            step = next(fill)
            seen.append((step.texts(), step.tokens()))
    assert len(seen) > 1
    for texts, pieces in seen:
        assert [piece.text for piece in pieces if piece.state == "pinned"] == ["x = ", "\ny = "]
        assert all(piece.logprob <= 0 for piece in pieces)
        holes = [piece for piece in pieces if piece.state != "pinned"]
        assert len(holes) == 6 + 1 + 4 + 1  # each with room for its end
        written = "".join(piece.text for piece in holes)
        assert written.startswith(texts[0])
        assert any(piece.state == "accepted" for piece in holes)
    for (_, pieces), (_, later) in itertools.pairwise(seen):
        for piece, after in zip(pieces, later, strict=True):
            if piece.state == "accepted":
                assert after.before == piece.text


def test_a_denoiser_that_does_not_tell_its_steps() -> None:
    target = engine()
    told = target.denoiser.denoise

    def quiet(*args):
        for proposal in told(*args):
            yield dataclasses.replace(proposal, seen=None)

    target.denoiser.denoise = quiet
    assert next(target.fill(REQUEST)).tokens() == ()
