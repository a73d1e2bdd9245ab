"""Peak memory of tensors, from the events of torch's allocator."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import torch


def most_at_once(run: Callable[[], object]) -> int:
    """The peak, in bytes of host memory, of what `run` has allocated and not freed yet."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        run()
    results = profile.profiler.kineto_results  # pyright: ignore[reportOptionalMemberAccess]
    changes = sorted((e.start_ns(), at, e.nbytes()) for at, e in enumerate(results.events()) if e.nbytes())
    return max(accumulate((change for *_, change in changes), initial=0))
