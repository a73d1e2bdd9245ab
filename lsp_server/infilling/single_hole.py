"""One hole and one request for it: ask the worker, validate the answer, have it repaired once.

`pipeline` chooses the hole and builds the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec.structs import replace as replace_fields

from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.syntax import Syntax
from model_runtime.protocol import Done, Draft, Infill, Refused

from . import repair, validation

OnDraft = Callable[[Draft], None]


class Filler(Protocol):
    """What is needed of a worker: one answer to each request, cancelled with the task that awaits it."""

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused: ...


async def fill(
    request: Infill,
    snapshot: Snapshot,
    syntax: Syntax | None,
    hole: Hole,
    worker: Filler,
    on_draft: OnDraft | None = None,
    *,
    count: int = 1,
    threshold: float = 0.0,
) -> list[Edit] | Refusal:
    """What may be offered for the hole: at least one edit, at most `count`, best first.

    Where nothing in the answer parses, the worker is asked once more, to denoise only the faulty part of
    the best. What is less confident than `threshold` is not offered.
    """
    started = time.perf_counter()
    answer = await worker.fill(request, on_draft)
    if isinstance(answer, Refused):
        return refused(answer)
    if answer.confidence < threshold:
        return unsure(answer)
    ms = (time.perf_counter() - started) * 1000
    outcome = _validated(snapshot, syntax, hole, answer, ms, count, threshold)
    if not isinstance(outcome, Refusal) or outcome.reason != "parse" or syntax is None:
        return outcome
    left_ms = None if request.deadline_ms is None else round(request.deadline_ms - ms)
    plan = repair.plan(answer.texts[0], snapshot.text, hole, syntax)
    if plan is None or (left_ms is not None and left_ms < ms):
        return outcome
    request = replace_fields(
        request, canvas=plan.canvas(request.canvas), candidates=1, deadline_ms=left_ms, original=""
    )
    repaired = await worker.fill(request)
    if isinstance(repaired, Refused):
        return outcome
    text = plan.before + repaired.texts[0] + plan.after
    repaired = replace_fields(
        repaired, texts=(text,), confidence=min(answer.confidence, repaired.confidence), alternatives=()
    )
    if repaired.confidence < threshold:
        return unsure(repaired)
    ms = (time.perf_counter() - started) * 1000
    return _validated(snapshot, syntax, hole, repaired, ms, count, threshold)


def refused(answer: Refused) -> Refusal:
    return Refusal(answer.reason, answer.message or f"the worker refused: {answer.reason}")


def _validated(
    snapshot: Snapshot,
    syntax: Syntax | None,
    hole: Hole,
    answer: Done,
    ms: float,
    count: int,
    threshold: float,
) -> list[Edit] | Refusal:
    """What may be offered of an answer, best first: at least one edit, at most `count`, all different. If
    nothing may be, why the best may not."""
    edits: dict[str, Edit] = {}
    refusal = None
    for each in _fills(answer):
        if each.confidence < threshold or len(edits) == count:
            break
        outcome = validation.validate(snapshot, syntax, hole, each.texts[0], each, ms)
        if isinstance(outcome, Edit):
            edits.setdefault(outcome.text, outcome)
        else:
            refusal = refusal or outcome
    return list(edits.values()) or refusal or Refusal("empty", "the model had nothing to add here")


def _fills(answer: Done) -> Iterator[Done]:
    """An answer's best fill, then its alternatives, each as an answer."""
    yield answer
    for each in answer.alternatives:
        yield replace_fields(answer, texts=each.texts, confidence=each.confidence, sources=each.sources)


def unsure(answer: Done) -> Refusal:
    return Refusal("confidence", f"{answer.confidence:.2f} is below infill.confidenceThreshold")
