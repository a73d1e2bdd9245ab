"""The one way from a document and a place in it to edits, for the server and the command line alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from msgspec.structs import replace as replace_fields

from lsp_server.config.settings import Settings
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.syntax import Parses, Syntax
from model_runtime.protocol import Done, Draft, Infill, Refused

from . import canvas, hole, placeholder, repair, validation

OnDraft = Callable[[Draft], None]
OnProgress = Callable[[int, int], None]  # holes done, of how many

# Other text that the model may see for a hole at an offset, most relevant last.
Gather = Callable[[Snapshot, int, Syntax | None], tuple[str, ...]]

# Holes share a canvas while they and the text between them are likely to fit a small model's.
SHARED_TOKENS = 48
SHARED_CHARS = 80
_ALONE = {"invalid"}  # refusals that holes on a canvas of their own may not meet


class Filler(Protocol):
    """What the pipeline needs of a worker: one answer to each request, cancelled with the awaiting task."""

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused: ...


def nothing_else(snapshot: Snapshot, offset: int, syntax: Syntax | None) -> tuple[str, ...]:
    return ()


async def suggest(
    snapshot: Snapshot,
    offset: int | None,
    worker: Filler,
    settings: Settings,
    parses: Parses,
    *,
    invoked: bool = False,
    on_draft: OnDraft | None = None,
    context: Gather = nothing_else,
) -> Edit | Refusal:
    """What to insert at `offset` (None: a position that the text does not have). `invoked`: the user asked,
    which is to say that places are taken where nobody wants an unasked suggestion."""
    offered = await alternatives(
        snapshot,
        offset,
        worker,
        settings,
        parses,
        count=1,
        invoked=invoked,
        on_draft=on_draft,
        context=context,
    )
    return offered if isinstance(offered, Refusal) else offered[0]


async def alternatives(
    snapshot: Snapshot,
    offset: int | None,
    worker: Filler,
    settings: Settings,
    parses: Parses,
    *,
    count: int = 3,
    invoked: bool = True,
    on_draft: OnDraft | None = None,
    context: Gather = nothing_else,
) -> list[Edit] | Refusal:
    """At least one edit and at most `count` different ones, best first."""
    if refusal := settings.refusal(snapshot):
        return refusal
    syntax = parses.around(snapshot, offset) if offset is not None else None
    found = hole.find(snapshot, syntax, offset, settings.max_hole_tokens, invoked=invoked)
    if isinstance(found, Refusal):
        return found
    asked = _request(snapshot, [found], settings)
    asked = replace_fields(
        asked,
        candidates=count,
        priority="invoked" if invoked else "automatic",
        context=context(snapshot, found.span.start, syntax),
    )
    threshold = settings.confidence_threshold
    return await _put(asked, snapshot, syntax, found, worker, on_draft, count=count, threshold=threshold)


async def fill(
    snapshot: Snapshot,
    holes: Sequence[Hole],
    worker: Filler,
    settings: Settings,
    parses: Parses,
    on_progress: OnProgress | None = None,
) -> list[Edit | Refusal]:
    """One outcome for each hole, in order. Every edit is of the snapshot as it is: they can be made
    together. Asked for, so the confidence threshold does not apply."""
    if refusal := settings.refusal(snapshot):
        return [refusal] * len(holes)
    outcomes: list[Edit | Refusal] = []
    text = placeholder.masked(snapshot.text, (each.span for each in holes))
    parsable = replace(snapshot, text=text)  # what is written for one hole is judged without the others

    def around(each: Hole) -> Syntax | None:
        return parses.around(parsable, each.span.start)

    for group in _groups(holes):
        outcomes += await _fill(snapshot, group, worker, settings, around)
        if on_progress:
            on_progress(len(outcomes), len(holes))
    return outcomes


async def _fill(
    snapshot: Snapshot,
    holes: Sequence[Hole],
    worker: Filler,
    settings: Settings,
    around: Callable[[Hole], Syntax | None],
) -> list[Edit | Refusal]:
    """The holes of one canvas; one by one if they do not fit the model's."""
    if len(holes) == 1:
        (one,) = holes
        outcome = await _put(_request(snapshot, holes, settings), snapshot, around(one), one, worker)
        return [outcome if isinstance(outcome, Refusal) else outcome[0]]
    started = time.perf_counter()
    answer = await ask(snapshot, holes, worker, settings)
    if isinstance(answer, Refusal):
        if answer.reason in _ALONE:
            return [
                outcome
                for each in holes
                for outcome in await _fill(snapshot, [each], worker, settings, around)
            ]
        return [answer] * len(holes)
    ms = (time.perf_counter() - started) * 1000
    return [
        validation.validate(snapshot, around(each), each, text, answer, ms)
        for each, text in zip(holes, answer.texts, strict=True)
    ]


async def _put(
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
    """What may be offered for one hole: at least one edit, at most `count`, best first. Where nothing that
    comes back parses, the worker is asked once more, for what the parser stumbles over in it."""
    started = time.perf_counter()
    answer = await worker.fill(request, on_draft)
    if isinstance(answer, Refused):
        return _refusal(answer)
    if answer.confidence < threshold:
        return _unsure(answer)
    ms = (time.perf_counter() - started) * 1000
    outcome = _validated(snapshot, syntax, hole, answer, ms, count, threshold)
    if not isinstance(outcome, Refusal) or outcome.reason != "parse" or syntax is None:
        return outcome
    left_ms = None if request.deadline_ms is None else round(request.deadline_ms - ms)
    again = repair.of(answer.texts[0], snapshot.text, hole, syntax)
    if again is None or (left_ms is not None and left_ms < ms):
        return outcome
    request = replace_fields(
        request, canvas=again.canvas(request.canvas), candidates=1, deadline_ms=left_ms, original=""
    )
    mended = await worker.fill(request)
    if isinstance(mended, Refused):
        return outcome
    text = again.before + mended.texts[0] + again.after
    mended = replace_fields(
        mended, texts=(text,), confidence=min(answer.confidence, mended.confidence), alternatives=()
    )
    if mended.confidence < threshold:
        return _unsure(mended)
    ms = (time.perf_counter() - started) * 1000
    return _validated(snapshot, syntax, hole, mended, ms, count, threshold)


def _validated(
    snapshot: Snapshot,
    syntax: Syntax | None,
    hole: Hole,
    answer: Done,
    ms: float,
    count: int,
    threshold: float,
) -> list[Edit] | Refusal:
    """What may be offered of an answer for one hole, best first: at least one edit, at most `count`, all
    different; or what is against the best."""
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
    """An answer's best fill, then its others."""
    yield answer
    for each in answer.alternatives:
        yield replace_fields(answer, texts=each.texts, confidence=each.confidence, sources=each.sources)


async def ask(
    snapshot: Snapshot, holes: Sequence[Hole], worker: Filler, settings: Settings
) -> Done | Refusal:
    """What the worker has for the holes of one canvas, not yet looked at."""
    answer = await worker.fill(_request(snapshot, holes, settings))
    return _refusal(answer) if isinstance(answer, Refused) else answer


def _groups(holes: Sequence[Hole]) -> list[list[Hole]]:
    groups: list[list[Hole]] = []
    for each in holes:
        group = groups[-1] if groups else []
        tokens = sum(other.max_tokens for other in (*group, each))
        if group and tokens <= SHARED_TOKENS and each.span.start - group[0].span.start <= SHARED_CHARS:
            group.append(each)
        else:
            groups.append([each])
    return groups


def _request(snapshot: Snapshot, holes: Sequence[Hole], settings: Settings) -> Infill:
    shown = canvas.build(snapshot, holes)
    return Infill(
        id=0,  # the worker client numbers its requests
        document=snapshot.uri,
        prefix=shown.prefix,
        canvas=shown.pieces,
        language=snapshot.language,
        deadline_ms=settings.deadline_ms,
    )


def _unsure(answer: Done) -> Refusal:
    return Refusal("confidence", f"{answer.confidence:.2f} is below infill.confidenceThreshold")


def _refusal(answer: Refused) -> Refusal:
    return Refusal(answer.reason, answer.message or f"the worker refused: {answer.reason}")
