"""Rows as sequences: what is known, what a pass computes, where a token is read."""

from __future__ import annotations

from model_runtime.diffusion.interface import Row
from model_runtime.local.masked_canvas import Canvas

PAD, EOS = 0, 9
ROW = Row([5, 0, 0, 6, 0, 7, PAD, PAD], [True, False, False, True, False, True, True, True])


def test_a_row_becomes_known_text_and_holes() -> None:
    canvas = Canvas.of([1, 2], ROW, pad=PAD, eos=EOS)
    assert canvas == Canvas(((1, 2, 5), (6,), (7, EOS)), (2, 1))
    assert Canvas.of([1, 2], ROW, pad=PAD, eos=None).known[-1] == (7,)
    cut = Row(ROW.ids[:6], ROW.pinned[:6])  # the end of the text is not on it
    assert Canvas.of([1, 2], cut, pad=PAD, eos=EOS).known[-1] == (7,)
    assert canvas.cut(1).known[-1] == (7,)


def test_where_tokens_are_read() -> None:
    canvas = Canvas.of([1, 2], ROW, pad=PAD, eos=None)
    laid = canvas.lay([(8, 8, 8), (8,)], shifted=False)
    assert laid.ids == (1, 2, 5, 8, 8, 8, 6, 8, 7)
    assert laid.fresh == (3, 4, 5, 7)
    assert laid.read == (0, 1, 2, 3)
    assert laid.kept == (0, 1, 2, 6, 8)
    shifted = canvas.lay([(8, 8, 8), (8,)], shifted=True)
    assert shifted.fresh == (2, 3, 4, 5, 6, 7)
    assert [shifted.fresh[at] for at in shifted.read] == [2, 3, 4, 6]


def test_a_hole_at_the_start_and_an_empty_one() -> None:
    canvas = Canvas.of([], Row([0, 7], [False, True]), pad=PAD, eos=None)
    assert canvas.lay([(8,)], shifted=True).read == (0,)
    empty = canvas.lay([()], shifted=False)
    assert (empty.ids, empty.fresh, empty.read) == ((7,), (), ())
