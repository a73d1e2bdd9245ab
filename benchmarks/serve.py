"""The real server for a benchmark to drive: `python -m benchmarks.serve ENGINE`.

ENGINE is who answers its fills:

    immediate   an object in the server's own process, at once
    stand-in    the real worker process, with an engine that has no model
    embedded    the real worker process, with the embedded model
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_runtime.protocol import Done, Draft, Infill, Refused, Texts

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("immediate", "stand-in", "embedded")
TEXTS = "benchmark.texts"  # the command that returns the server's documents: {uri: text}
ANSWER = "other + 1)"


class ImmediateWorker:
    """A worker that has its answer ready."""

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        return Done(0, (ANSWER,), 0.9, steps=1, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        pass

    def tell(self, texts: Texts) -> None:
        pass

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        pass

    async def close(self) -> None:
        pass


def command(engine: str) -> list[str]:
    """What starts this server, in ROOT."""
    return [sys.executable, "-m", "benchmarks.serve", engine]


def serve(engine: str) -> None:
    from lsp_server.config.settings import Settings
    from lsp_server.handlers import server
    from lsp_server.session.session import Session
    from lsp_server.worker_client.client import Worker

    class StandInWorker(Worker):
        def _command(self, endpoint: Path) -> list[str]:
            return [*super()._command(endpoint), "--engine=benchmarks.stand_in:load_engine"]

    def connect(settings: Settings) -> Any:
        if engine == "immediate":
            return ImmediateWorker()
        return (Worker if engine == "embedded" else StandInWorker)(settings.choice)

    async def texts(ls: Any, arguments: list[Any], token: Any) -> dict[str, str]:
        return {uri: document.text for uri, document in session._documents.items()}

    session = Session(connect)
    built = server.build(session)
    if engine != "immediate":
        session.configure("benchmark", {"confidenceThreshold": 0})
    built.command(TEXTS)(texts)
    server.serve(built)


if __name__ == "__main__":
    if sys.argv[1:] not in [[engine] for engine in ENGINES]:
        sys.exit(f"name one of {', '.join(ENGINES)}")
    serve(sys.argv[1])
