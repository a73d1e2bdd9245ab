"""The one way from a document and a cursor to an edit, for the server and the command line alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from lsp_server import canvas, edit, hole
from lsp_server.document import Edit, Refusal, Snapshot
from lsp_server.settings import Settings
from lsp_server.syntax import Parses, Syntax
from model_runtime.protocol import Done, Draft, Infill, Refused


class Filler(Protocol):
    """What the pipeline needs of a worker: one answer to each request, cancelled with the awaiting task."""

    async def fill(
        self, request: Infill, on_draft: Callable[[Draft], None] | None = None
    ) -> Done | Refused: ...


# Other text that the model may see for a hole at an offset, most relevant last.
Gather = Callable[[Snapshot, int, Syntax | None], tuple[str, ...]]


def nothing_else(snapshot: Snapshot, offset: int, syntax: Syntax | None) -> tuple[str, ...]:
    return ()


async def suggest(
    snapshot: Snapshot,
    offset: int | None,
    worker: Filler,
    settings: Settings,
    parses: Parses,
    context: Gather = nothing_else,
) -> Edit | Refusal:
    """What to insert at `offset` (None: a position that the text does not have)."""
    started = time.perf_counter()
    if refusal := settings.refusal(snapshot):
        return refusal
    found = hole.find(snapshot, offset, settings.max_hole_tokens)
    if isinstance(found, Refusal):
        return found
    syntax = parses.around(snapshot, found.span.start)
    shown = canvas.build(snapshot, found)
    answer = await worker.fill(
        Infill(
            id=0,  # the worker client numbers its requests
            document=snapshot.uri,
            prefix=shown.prefix,
            canvas=shown.pieces,
            language=snapshot.language,
            deadline_ms=settings.deadline_ms,
            context=context(snapshot, found.span.start, syntax),
        )
    )
    if isinstance(answer, Refused):
        return Refusal(answer.reason, answer.message or f"the worker refused: {answer.reason}")
    if answer.confidence < settings.confidence_threshold:
        return Refusal("confidence", f"{answer.confidence:.2f} is below infill.confidenceThreshold")
    return edit.validate(snapshot, syntax, found, answer, ms=(time.perf_counter() - started) * 1000)
