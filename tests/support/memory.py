"""How much memory tensors take at once, as torch's own allocator says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import torch


def most_at_once(run: Callable[[], object]) -> int:
    """The most bytes of host memory that were allocated while it ran and not freed again by then."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        run()
    results = profile.profiler.kineto_results  # pyright: ignore[reportOptionalMemberAccess]
    changes = sorted((e.start_ns(), at, e.nbytes()) for at, e in enumerate(results.events()) if e.nbytes())
    return max(accumulate((change for *_, change in changes), initial=0))
