"""Chooses who denoises: this process, or a server.

Imports only what the choice needs, as both are slow to load.
"""

from __future__ import annotations

from collections.abc import Callable

from model_runtime.daemon.lifecycle import LoadedEngine
from model_runtime.protocol import Choice


def load_engine(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> LoadedEngine:
    """A `lifecycle.Loader`: reports progress in [0, 1]. Raises `faults.ModelError`."""
    if choice.backend == "local":
        from model_runtime.inference.engine import load_engine as load
    else:
        from model_runtime.remote.loading import load
    return load(choice, on_progress)
