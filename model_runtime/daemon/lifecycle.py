"""The model in the worker's memory: loaded when it is needed, run by the scheduler, unloaded when idle.

Everything here happens in the engine's thread. What is known of the model is a frozen value that other
threads may read at any time. Knows nothing of clients, and of requests only that there are some.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from model_runtime.daemon.scheduler import Engine, Scheduler
from model_runtime.diffusion.faults import ModelError, log_bug, one_line
from model_runtime.network import process_memory
from model_runtime.protocol import Calibrated, Choice
from model_runtime.retrieval.library import Library

log = logging.getLogger(__name__)


class LoadedEngine(Engine, Protocol):
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def calibrated(self) -> Calibrated: ...

    def use(self, library: Library) -> None:
        """Compose drafts from these texts, if it composes any."""
        ...

    def servers(self) -> dict[str, str]:
        """The state of each server that it asks, by address; empty where it computes itself. Thread-safe."""
        ...


# Takes a function that it tells its progress, in [0, 1]. Raises ModelError.
Loader = Callable[[Choice, Callable[[float], None]], LoadedEngine]


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of the model: replaced whole by the engine's thread, read by the others."""

    state: Literal["loading", "ready", "unloaded", "failed"]
    name: str
    device: str
    message: str = ""
    progress: float = 0.0
    servers: Callable[[], dict[str, str]] = dict  # as LoadedEngine.servers
    calibrated: Calibrated | None = None
    dtype: str = ""


class Lifecycle:
    def __init__(self, scheduler: Scheduler, *, choice: Choice, engine: str, idle_s: float) -> None:
        """`engine` names a Loader as `module:function`; it is imported in the engine's thread, as that may
        take seconds. After `idle_s` without a request the model is unloaded (0: never)."""
        self._scheduler = scheduler
        self._choice = choice
        self._engine = engine
        self._idle_s = idle_s
        self.model = self._as("loading")

    def run(self) -> None:
        """Until the queue is closed, or the model cannot be loaded."""
        while engine := self._load():
            self._scheduler.run(engine, self._idle_s)
            engine = None
            process_memory.release()
            self.model = self._as("unloaded")
            log.info("unloaded; %.0f MB left", process_memory.resident_bytes() / 1e6)
            self._scheduler.queue.wait()
            if self._scheduler.queue.closed:
                return

    def _load(self) -> LoadedEngine | None:
        self.model = self._as("loading")
        try:
            engine = _import(self._engine)(self._choice, self._on_progress)
        except Exception as error:
            if isinstance(error, ModelError):
                message = str(error)
            else:
                log_bug("loading failed", error)
                message = "out of memory while loading" if isinstance(error, MemoryError) else one_line(error)
            log.error("no model: %s", message)
            self.model = self._as("failed", message)
            self._scheduler.queue.close("failed", message)
            return None
        engine.use(self._scheduler.library)
        told = (engine.name, engine.device, "", 1.0, engine.servers, engine.calibrated, engine.dtype)
        self.model = Model("ready", *told)
        log.info(
            "%s is ready on %s, in %s", engine.name, engine.device, engine.dtype or "what the server has"
        )
        return engine

    def _on_progress(self, progress: float) -> None:
        self.model = self._as("loading", progress=progress)

    def _as(
        self, state: Literal["loading", "unloaded", "failed"], message: str = "", progress: float = 0.0
    ) -> Model:
        return Model(state, self._choice.model, self._choice.device, message, progress)


def _import(name: str) -> Loader:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
