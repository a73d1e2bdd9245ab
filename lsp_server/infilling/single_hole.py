"""One hole and one request for it: ask the worker, validate the answer, have it repaired or continued once.

`pipeline` chooses the hole and builds the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec.structs import replace as replace_fields

from lsp_server.infilling.hole import Hole
from lsp_server.infilling.repair import Repair
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.syntax import Syntax
from model_runtime.protocol import Done, Draft, Infill, Refused

from . import names, repair, validation

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
    the best; where the best ends inside a name, for how it goes on. What is less confident than `threshold`
    is not offered, except the rest of a name that can be no other.
    """
    started = time.perf_counter()
    answer = await worker.fill(request, on_draft)
    if isinstance(answer, Refused):
        return refused(answer)
    ms = (time.perf_counter() - started) * 1000
    if answer.confidence < threshold:
        return _only_name(snapshot, syntax, hole, answer, ms, threshold) or unsure(answer)
    outcome = _validated(snapshot, syntax, hole, answer, ms, count, threshold)
    if isinstance(outcome, Refusal):
        plan = None
        if outcome.reason == "parse" and syntax is not None:
            plan = repair.plan(answer.texts[0], snapshot.text, hole, syntax)
    elif plan := _continuation(snapshot, syntax, hole, outcome[0]):
        whole = validation.validate(snapshot, syntax, hole, plan.before, answer, ms)
        outcome = [outcome[0] if isinstance(whole, Refusal) else whole, *outcome[1:]]
    left_ms = None if request.deadline_ms is None else round(request.deadline_ms - ms)
    if plan is None or (left_ms is not None and left_ms < ms):
        return outcome
    request = replace_fields(
        request, canvas=plan.canvas(request.canvas), candidates=1, deadline_ms=left_ms, original=""
    )
    more = await worker.fill(request)
    if isinstance(more, Refused):
        return outcome
    text = plan.before + more.texts[0] + plan.after
    more = replace_fields(
        more, texts=(text,), confidence=min(answer.confidence, more.confidence), alternatives=()
    )
    refused_before = isinstance(outcome, Refusal)
    if more.confidence < threshold:
        return unsure(more) if refused_before else outcome
    ms = (time.perf_counter() - started) * 1000
    found = _validated(snapshot, syntax, hole, more, ms, count, threshold)
    if refused_before:
        return found
    if isinstance(found, Refusal):
        return outcome
    return [*found, *(each for each in outcome[1:] if each.text != found[0].text)]


def _continuation(snapshot: Snapshot, syntax: Syntax | None, hole: Hole, best: Edit) -> Repair | None:
    """Room for how an edit goes on that ends inside a name, behind the rest of the name if it can be no
    other. None where it does not end so."""
    at = hole.span.start
    if hole.lines > 1 or hole.lead or hole.trail or not names.is_partial(snapshot, syntax, at, best.text):
        return None
    return Repair(best.text + names.rest(snapshot, syntax, at, best.text), "", hole.max_tokens)


def _only_name(
    snapshot: Snapshot, syntax: Syntax | None, hole: Hole, answer: Done, ms: float, threshold: float
) -> list[Edit] | None:
    """The rest of the only name that begins with what is typed, where the model is unsure. How sure that is
    has been measured on such names; the model's figure is of another text."""
    if hole.kind != "word" or threshold > names.USUALLY_RIGHT:
        return None
    if not (rest := names.rest(snapshot, syntax, hole.span.start)):
        return None
    named = replace_fields(
        answer, texts=(rest,), confidence=names.USUALLY_RIGHT, alternatives=(), sources=("name",)
    )
    outcome = validation.validate(snapshot, syntax, hole, rest, named, ms)
    return [outcome] if isinstance(outcome, Edit) else None


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
