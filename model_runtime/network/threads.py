"""How torch's CPU threads wait for each other; to be called before torch is first imported.

They spin for some tens of microseconds and then sleep. Spinning longer, as GNU OpenMP does by default,
slows everything tenfold when another process wants the cores (measured: `generate`, 10 s instead of
1 s); sleeping at once costs half as much again on idle ones (a denoise step of the embedded model: 38 ms
instead of 27 ms, 2 cores).
"""

from __future__ import annotations

import os

SPINS = "30000"  # of GNU OpenMP's waiting loop


def configure() -> None:
    """Only suggests: what the environment says already stays."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
