"""Who answers: the resident worker as the editor has it, or one of `model_runtime.baselines` in here.

All of them are fillers for the server's pipeline. Before the clock runs, each is given the time to read
the text before the hole, as it has had when a user types on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from lsp_server.config.settings import Settings
from lsp_server.session.session import connect
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Done, Draft, Fixed, Infill, Refused, Slot

if TYPE_CHECKING:
    from model_runtime.baselines.field import Ask

SHIPPED = "shipped"
SHIPPED_LABEL = "as shipped: denoiser, drafts, ranking, through the worker"


class Contender(Protocol):
    async def prepare(self, request: Infill) -> None:
        """Read what stands before the hole."""
        ...

    async def fill(
        self, request: Infill, on_draft: Callable[[Draft], None] | None = None
    ) -> Done | Refused: ...


class Shipped:
    """The real worker, in its own process, asked the way the server asks it."""

    def __init__(self, settings: Settings) -> None:
        self.worker: Worker = connect(settings)
        self._ours = False

    async def start(self) -> str:
        """Have the model loaded; what is wrong if it cannot be."""
        self._ours = isinstance(await self.worker.status(), Refused)
        answer = await self.worker.fill(_short(Infill(0, "", "", ()), deadline_ms=300_000))
        return answer.message if isinstance(answer, Refused) else ""

    async def prepare(self, request: Infill) -> None:
        await self.worker.fill(_short(request, deadline_ms=60_000))

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        return await self.worker.fill(request)

    async def stop(self) -> None:
        """A worker that was there before stays."""
        if self._ours:
            await self.worker.stop()
        await self.worker.close()


class Local:
    """An `Ask` in this process, for requests that nobody hurries."""

    def __init__(self, ask: Ask, prepare: Callable[[Infill], None] | None = None) -> None:
        self._ask, self._prepare = ask, prepare

    async def prepare(self, request: Infill) -> None:
        if self._prepare:
            self._prepare(request)

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        from model_runtime.diffusion.faults import Unfillable

        try:
            fill = self._ask(request)
        except Unfillable as error:
            return Refused(request.id, error.reason, str(error))
        times = 0.0, fill.prefill_ms, fill.denoise_ms
        more = {"alternatives": fill.alternatives, "sources": fill.sources}
        return Done(request.id, fill.texts, fill.confidence, fill.steps, *times, **more)


class Stopwatch:
    """Notes of one fill what the pipeline does not tell: whether there was one, its steps, and how long the
    preparation took, which is not to be counted."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self.asked = False
        self.preparing_ms = 0.0
        self.steps = 0

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.asked = True
        started = time.perf_counter()
        await self._contender.prepare(request)
        self.preparing_ms = (time.perf_counter() - started) * 1000
        answer = await self._contender.fill(request, on_draft)
        self.steps = answer.steps if isinstance(answer, Done) else 0
        return answer


def _short(request: Infill, deadline_ms: int) -> Infill:
    """The same prefix with the smallest hole behind it, from a document that nobody remembers."""
    return msgspec.structs.replace(
        request, document="", canvas=(Slot(1), Fixed("\n")), deadline_ms=deadline_ms
    )
