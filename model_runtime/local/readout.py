"""What a denoise step tells, read from the device: whether it was the last, the guess, what it accepted.

Reading waits for the device, so each part is fetched only when it is asked for.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import DenoiseError, Guess, Seen


class StopCheck:
    """Whether a step was the last one, and whether its values are numbers: on the way from the device."""

    def __init__(self, finished: Tensor, finite: Tensor) -> None:
        """Both are bool scalars: all rows are finished; all scores are numbers."""
        self._flags = torch.stack([finished, finite]).to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if finished.is_cuda else None
        if self._arrived:
            self._arrived.record()

    def read(self) -> bool:
        """Raises DenoiseError where the step gave values that are not numbers."""
        if self._arrived:
            self._arrived.synchronize()
        finished, finite = self._flags.tolist()
        if not finite:
            raise DenoiseError("the model returned values that are not numbers; copy it again")
        return finished


def guess(state: sampler.State, layout: sampler.Layout, check: StopCheck) -> Guess:
    """The answer so far of every row, without the padding of ragged rows. Raises DenoiseError where the step,
    whose `check` this is, gave values that are not numbers."""
    check.read()
    ids, logprobs = sampler.finalize(state)
    counts = layout.valid.sum(1).tolist()
    return Guess(
        [row[:n] for row, n in zip(ids.tolist(), counts, strict=True)],
        [row[:n] for row, n in zip(logprobs.tolist(), counts, strict=True)],
    )


def seen(before: Tensor, after: sampler.State, layout: sampler.Layout) -> Seen:
    """What the step did to the first row. `before`: the ids [R, N] that the step read."""
    count = int(layout.valid[0].sum())
    return Seen(before[0, :count].tolist(), after.accepted[0, :count].tolist())
