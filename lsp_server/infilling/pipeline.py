"""From a document and places in it to edits: the one way there, for the server and the command line.

Finds the holes, builds the requests, has the answers validated. Takes the worker as a `Filler` and knows
neither how it is reached nor what the client shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec.structs import replace as replace_fields

from lsp_server.config.settings import Settings
from lsp_server.infilling.hole import Hole
from lsp_server.infilling.single_hole import Filler, OnDraft
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.languages import is_prose
from lsp_server.text.syntax import Parses, Syntax
from model_runtime.protocol import Done, Infill, Refused

from . import canvas, hole, placeholder, single_hole, validation

OnProgress = Callable[[int, int], None]  # holes done, of how many

# Texts of other documents that the model is shown for a hole at an offset, most relevant last.
Gather = Callable[[Snapshot, int, Syntax | None], tuple[str, ...]]

# Holes share a canvas while they and the text between them are likely to fit a small model's.
SHARED_TOKENS = 48
SHARED_CHARS = 80
_TOO_MUCH = {"invalid"}  # refusals after which each hole is tried on a canvas of its own


def no_context(snapshot: Snapshot, offset: int, syntax: Syntax | None) -> tuple[str, ...]:
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
    context: Gather = no_context,
) -> Edit | Refusal:
    """What to insert at `offset` (None: a position that the text does not have). `invoked`: the user asked
    for it, so places count where an unasked suggestion would be a nuisance."""
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
    context: Gather = no_context,
) -> list[Edit] | Refusal:
    """As `suggest`, but at least one edit and at most `count` different ones, best first."""
    if refusal := settings.refusal(snapshot):
        return refusal
    syntax = parses.around(snapshot, offset) if offset is not None else None
    found = hole.find(snapshot, syntax, offset, settings.max_hole_tokens, invoked=invoked)
    if isinstance(found, Refusal):
        return found
    request = replace_fields(
        _request(snapshot, [found], settings, context(snapshot, found.span.start, syntax)),
        candidates=count,
        priority="invoked" if invoked else "automatic",
        language=_language(snapshot, syntax),
    )
    threshold = settings.confidence_threshold
    return await single_hole.fill(
        request, snapshot, syntax, found, worker, on_draft, count=count, threshold=threshold
    )


async def fill(
    snapshot: Snapshot,
    holes: Sequence[Hole],
    worker: Filler,
    settings: Settings,
    parses: Parses,
    on_progress: OnProgress | None = None,
    context: Gather = no_context,
    threshold: float = 0.0,
) -> list[Edit | Refusal]:
    """One outcome for each hole, in order. Each edit is of the snapshot as it is, so all can be made at
    once. The user asked for them, so of the thresholds only the one given here applies."""
    if refusal := settings.refusal(snapshot):
        return [refusal] * len(holes)
    outcomes: list[Edit | Refusal] = []
    text = placeholder.masked(snapshot.text, (each.span for each in holes))
    parsable = replace(snapshot, text=text)  # markers of other holes make no syntax errors

    def around(each: Hole) -> Syntax | None:
        return parses.around(parsable, each.span.start)

    for group in _groups(holes):
        pieces = context(snapshot, group[0].span.start, around(group[0]))
        outcomes += await _fill(snapshot, group, worker, settings, around, pieces, threshold)
        if on_progress:
            on_progress(len(outcomes), len(holes))
    return outcomes


async def _fill(
    snapshot: Snapshot,
    holes: Sequence[Hole],
    worker: Filler,
    settings: Settings,
    around: Callable[[Hole], Syntax | None],
    pieces: tuple[str, ...],
    threshold: float,
) -> list[Edit | Refusal]:
    """Outcomes of holes that share a canvas; each gets its own if the model has no room for all."""
    if len(holes) == 1:
        (one,) = holes
        syntax = around(one)
        request = _request(snapshot, holes, settings, pieces)
        request = replace_fields(request, language=_language(snapshot, syntax))
        outcome = await single_hole.fill(request, snapshot, syntax, one, worker, threshold=threshold)
        return [outcome if isinstance(outcome, Refusal) else outcome[0]]
    started = time.perf_counter()
    answer = await ask(snapshot, holes, worker, settings, pieces)
    if isinstance(answer, Refusal):
        if answer.reason in _TOO_MUCH:
            return [
                outcome
                for each in holes
                for outcome in await _fill(snapshot, [each], worker, settings, around, pieces, threshold)
            ]
        return [answer] * len(holes)
    if answer.confidence < threshold:
        return [single_hole.unsure(answer)] * len(holes)
    ms = (time.perf_counter() - started) * 1000
    return [
        validation.validate(snapshot, around(each), each, text, answer, ms)
        for each, text in zip(holes, answer.texts, strict=True)
    ]


async def ask(
    snapshot: Snapshot,
    holes: Sequence[Hole],
    worker: Filler,
    settings: Settings,
    pieces: tuple[str, ...] = (),
) -> Done | Refusal:
    """The worker's answer for holes that share a canvas, not validated. `pieces`: their context."""
    answer = await worker.fill(_request(snapshot, holes, settings, pieces))
    return single_hole.refused(answer) if isinstance(answer, Refused) else answer


def _groups(holes: Sequence[Hole]) -> list[list[Hole]]:
    """Holes, in order, by the canvas that they share."""
    groups: list[list[Hole]] = []
    for each in holes:
        group = groups[-1] if groups else []
        tokens = sum(other.max_tokens for other in (*group, each))
        if group and tokens <= SHARED_TOKENS and each.span.start - group[0].span.start <= SHARED_CHARS:
            group.append(each)
        else:
            groups.append([each])
    return groups


def _language(snapshot: Snapshot, syntax: Syntax | None) -> str:
    """What is written at a place: in prose the language of the code that is fenced there, if any."""
    return syntax.language.id if syntax and is_prose(snapshot.language) else snapshot.language


def _request(
    snapshot: Snapshot, holes: Sequence[Hole], settings: Settings, pieces: tuple[str, ...]
) -> Infill:
    shown = canvas.build(snapshot, holes)
    return Infill(
        id=0,  # the worker client numbers its requests
        document=snapshot.uri,
        prefix=shown.prefix,
        canvas=shown.pieces,
        language=snapshot.language,
        deadline_ms=settings.deadline_ms,
        context=pieces,
        lines=max(each.lines for each in holes),
    )
