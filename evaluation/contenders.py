"""Who answers: the real worker as an editor has it, or a baseline of `model_runtime` in this process.

The server's pipeline takes each of them for its worker. Each may read the text before the hole before the
clock runs: when a user types on, the worker has read it already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from lsp_server.config.settings import Settings
from lsp_server.session.session import connect
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Done, Draft, Fixed, Infill, Refused, Slot, Status, Texts

if TYPE_CHECKING:
    from model_runtime.baselines.registry import Ask
    from model_runtime.retrieval.library import Library

SHIPPED = "shipped"
POLL_S = 0.05  # between two questions to a worker that is indexing
ALL = 1_000  # candidates: more than there are
SHIPPED_LABEL = "as shipped: denoiser, drafts, ranking, through the worker"


class Contender(Protocol):
    async def prepare(self, request: Infill) -> None:
        """Read the text before the hole."""
        ...

    async def fill(
        self, request: Infill, on_draft: Callable[[Draft], None] | None = None
    ) -> Done | Refused: ...

    def tell(self, texts: Texts) -> None:
        """Texts of the project that is open."""
        ...

    async def indexed(self) -> None:
        """Wait until all that was told can be found."""
        ...


class Shipped:
    """The real worker, in its own process, asked the way the server asks it."""

    def __init__(self, settings: Settings) -> None:
        self.worker: Worker = connect(settings)
        self._ours = False

    async def start(self) -> str:
        """Have the model loaded. What is wrong if it cannot be, in one line; else ""."""
        self._ours = isinstance(await self.worker.status(), Refused)
        answer = await self.worker.fill(_short(Infill(0, "", "", ()), deadline_ms=300_000))
        return answer.message if isinstance(answer, Refused) else ""

    async def prepare(self, request: Infill) -> None:
        await self.worker.fill(_short(request, deadline_ms=60_000))

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        return await self.worker.fill(request)

    def tell(self, texts: Texts) -> None:
        self.worker.tell(texts)

    async def indexed(self) -> None:
        while isinstance(status := await self.worker.status(), Status) and status.indexing:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """A worker that ran before `start` stays."""
        if self._ours:
            await self.worker.stop()
        await self.worker.close()


class InProcess:
    """A baseline in this process. It has no deadline. `library`: where its engine finds the project's texts;
    several contenders may share one."""

    def __init__(
        self, ask: Ask, prepare: Callable[[Infill], None] | None = None, library: Library | None = None
    ) -> None:
        self._ask, self._prepare, self._library = ask, prepare, library

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

    def tell(self, texts: Texts) -> None:
        if self._library:
            self._library.put("", texts)

    async def indexed(self) -> None:
        while self._library and self._library.work(1.0):
            pass


class Stopwatch:
    """Passes a fill on to a contender and notes what the pipeline does not tell: whether there was one, its
    steps, all its candidates, and how long the contender read before it."""

    def __init__(self, contender: Contender, workspace: str = "") -> None:
        """`workspace`: under which name the contender was told of the project's texts."""
        self._contender, self._workspace = contender, workspace
        self.candidates: tuple[str, ...] = ()
        self.called = False
        self.preparing_ms = 0.0
        self.steps = 0

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.called = True
        started = time.perf_counter()
        await self._contender.prepare(request)
        self.preparing_ms = (time.perf_counter() - started) * 1000
        wanted = replace(request, workspace=self._workspace, alternatives=ALL)
        answer = await self._contender.fill(wanted, on_draft)
        self.steps = 0
        if not isinstance(answer, Done):
            return answer
        self.steps = answer.steps
        if len(answer.texts) == 1:
            self.candidates += (answer.texts[0], *(each.texts[0] for each in answer.alternatives))
        return replace(
            answer, alternatives=answer.alternatives[: request.alternatives]
        )  # as an editor gets it


def _short(request: Infill, deadline_ms: int) -> Infill:
    """The same prefix with the smallest hole behind it, from a document without a name."""
    return replace(request, document="", canvas=(Slot(1), Fixed("\n")), deadline_ms=deadline_ms)
