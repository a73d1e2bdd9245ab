"""What a step tells, read back without the padding of ragged rows."""

from __future__ import annotations

import pytest
import torch

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import DenoiseError, Guess, Seen
from model_runtime.local import readout


@pytest.mark.parametrize("finished", [False, True])
def test_whether_a_step_was_the_last(finished: bool) -> None:
    flags = torch.tensor([finished, True])
    assert readout.StopCheck(flags[0], flags[1]).read() is finished
    with pytest.raises(DenoiseError, match="not numbers; copy it again"):
        readout.StopCheck(flags[0], ~flags[1]).read()


def test_ragged_rows_tell_their_own_positions_only() -> None:
    canvas = torch.zeros(2, 3, dtype=torch.long)
    pinned = torch.tensor([[True, False, False], [True, True, False]])
    layout = sampler.Layout.of(canvas, pinned)
    best, logprob = torch.tensor([[5, 6], [7, 0]]), torch.tensor([[-1.0, -2.0], [-0.5, -9.0]])
    accepted = torch.tensor([[True, False], [True, True]])
    state = sampler.State(best, best, None, logprob, logprob, accepted[:, 0], 1, accepted)
    good, bad = (readout.StopCheck(accepted[0, 1], torch.tensor(finite)) for finite in (True, False))
    assert readout.guess(state, layout, good) == Guess([[5, 6], [7]], [[-1.0, -2.0], [-0.5]])
    with pytest.raises(DenoiseError, match="not numbers"):
        readout.guess(state, layout, bad)
    assert readout.seen(torch.tensor([[1, 2], [3, 4]]), state, layout) == Seen([1, 2], [True, False])
