"""Chooses who denoises: this process, or a server.

Imports only what the choice needs, as both are slow to load.
"""

from __future__ import annotations

from collections.abc import Callable

from model_runtime.daemon.lifecycle import LoadedEngine
from model_runtime.diffusion.faults import LOCAL, ModelError, lacking
from model_runtime.protocol import Choice


def load_engine(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> LoadedEngine:
    """A `lifecycle.Loader`: reports progress in [0, 1]. Raises `faults.ModelError`."""
    if choice.backend != "local":
        from model_runtime.remote.loading import load

        return load(choice, on_progress)
    try:
        from model_runtime.inference.engine import load_engine as load_here

        return load_here(choice, on_progress)
    except ModuleNotFoundError as error:
        if problem := lacking("a model on this machine", *LOCAL):
            raise ModelError(f"{problem}, or name a server with infill.backend") from error
        raise
