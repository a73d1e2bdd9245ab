"""The actions on request: which ones fit a place, and carrying one out.

Actions are offered from the text alone; the worker is asked only once the user has chosen one. Knows no LSP
types, but the kinds are code action kinds as LSP names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lsp_server.actions.action_request import ActionRequest, OnStep
from lsp_server.actions.fix import ByRegion, fix
from lsp_server.actions.proofread import DoubtfulWord, OnPiece
from lsp_server.actions.rewrite import rewrite
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.infilling.pipeline import Filler, Gather, no_context
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses, Syntax

from . import proofread as proofreading
from . import targets

FILL = "refactor.rewrite.infill.fill"
FILL_ALL = "source.fillAll.infill"
FIX = "quickfix.infill"
INSTRUCTION = "refactor.rewrite.infill.instruction"
DOCSTRING = "refactor.rewrite.infill.docstring"
PROOFREAD = "refactor.rewrite.infill.proofread"
KINDS = {  # what each does, as progress and the step to undo it name it
    FILL: "Fill hole",
    FILL_ALL: "Fill all holes",
    FIX: "Fix problem",
    INSTRUCTION: "Rewrite",
    DOCSTRING: "Docstring",
    PROOFREAD: "Proofread",
}

_WORDS = {"selection": "the selection", "body": "this body"}
DEADLINE_MS = 60_000  # long: the user has asked, sees the progress and can cancel


OnOutcomes = Callable[[Sequence[Edit | Refusal]], None]  # in the order of the holes


@dataclass(frozen=True, slots=True)
class Diagnostic:
    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    kind: str
    title: str
    span: Span  # in the snapshot it was offered for
    message: str = ""  # the diagnostic's, or the user's instruction
    thinking: bool = False  # for an instruction: the model may think first
    image: bytes = b""  # for an instruction: the content of an image file that goes with it
    diagnostic: int = -1  # for a fix: index of its diagnostic among those given


def offered(
    snapshot: Snapshot,
    span: Span,
    diagnostics: Sequence[Diagnostic],
    settings: Settings,
    parses: Parses,
    *,
    asks: bool = False,
) -> Iterator[Action]:
    """The actions that have something to work on here; the model has not been asked yet. `asks`: the client
    asks the user for a rewrite's instruction. Without that, a comment above the selected lines is one."""
    if settings.refusal(snapshot) or span.end > len(snapshot.text):
        return
    syntax = parses.around(snapshot, span.start)
    found = targets.to_fill(snapshot, syntax, span, settings)
    if isinstance(found, Hole):
        yield Action(FILL, f"Fill {_WORDS.get(found.kind, 'this hole')}", span)
    writes = settings.backend == "openai"  # may follow instructions, but cannot score given text
    if snapshot.text[span.start : span.end].strip():
        if not follows_no_instructions(settings):
            if asks:
                yield Action(INSTRUCTION, "Rewrite the selection with an instruction", span)
            elif comment := targets.instruction(snapshot, span):
                yield Action(INSTRUCTION, f"Rewrite as the comment says: {comment[:60]}", span, comment)
        if not writes and proofreading.has_words(snapshot, span):
            yield Action(PROOFREAD, "Proofread the selection", span)
    if syntax and (place := targets.of_docstring(snapshot, syntax, span.start, settings)):
        verb = "Write" if place.lead else "Refresh"
        yield Action(DOCSTRING, f"{verb} the docstring", span)
    for index, each in enumerate(diagnostics):
        first = each.message.strip().partition("\n")[0]
        in_a_hole = syntax and isinstance(targets.to_fix(snapshot, syntax, each.span, settings), Hole)
        if first and (settings.rewrites_regions or in_a_hole):
            yield Action(FIX, f"Fix: {first[:60]}", each.span, each.message, diagnostic=index)


def fills_all(whole: Snapshot, settings: Settings) -> Action | None:
    """The action that fills all placeholders of a document, if it has any."""
    if settings.refusal(whole) or not (found := targets.placeholders(whole, settings)):
        return None
    count = len(found)
    return Action(FILL_ALL, f"Fill all {count} holes" if count > 1 else "Fill the one hole", Span(0, 0))


def follows_no_instructions(settings: Settings) -> Refusal | None:
    """Why nothing can be rewritten with this model, as far as is known before it is loaded."""
    if settings.backend == "openai" or settings.model != "embedded":
        return None
    return Refusal(
        "instruction",
        "the embedded model follows no instructions; DiffusionGemma does (infill.model; its name is in "
        "`infill-ls models list`), and so does a chat model on a server (infill.backend, infill.backendUrl)",
    )


def overwrites(action: Action, snapshot: Snapshot, settings: Settings, parses: Parses) -> bool:
    """Whether it replaces a text that somebody has written for people, which is to be looked at first."""
    if action.kind != DOCSTRING or (syntax := parses.around(snapshot, action.span.start)) is None:
        return False
    place = targets.of_docstring(snapshot, syntax, action.span.start, settings)
    return place is not None and not place.lead


async def carry_out(
    action: Action,
    snapshot: Snapshot,
    worker: Filler,
    settings: Settings,
    parses: Parses,
    on_step: OnStep,
    context: Gather = no_context,
    *,
    threshold: float = 0.0,
    on_outcomes: OnOutcomes | None = None,
    by_region: ByRegion | None = None,
) -> tuple[Edit, ...] | Refusal:
    """The edits that carry the action out, in order and not overlapping, or why there are none. The message
    of a fix is sent as it is here: secrets have to be taken out before. A hole whose text is less sure than
    `threshold` is left alone. `on_outcomes` gets what became of each hole. `by_region`: what rewrites the
    lines around a problem, if there is a model for it."""
    if refusal := settings.refusal(snapshot):
        return refusal
    settings = replace(settings, deadline_ms=DEADLINE_MS)
    request = ActionRequest(worker, on_step, thinking=action.thinking, image=action.image)
    if action.kind == INSTRUCTION:
        if refusal := follows_no_instructions(settings):
            return refusal
        instruction = action.message.strip() or targets.instruction(snapshot, action.span)
        return await rewrite(snapshot, action.span, instruction, request, settings, parses, on_step, context)
    if action.kind == FIX:
        fixed = await fix(
            snapshot, action.span, action.message, request, settings, parses, context, by_region
        )
        if isinstance(fixed, Refusal):
            return fixed
        return _unsure(fixed, settings) or validation.minimal(snapshot, fixed)
    if action.kind == FILL_ALL:  # in a thread: a large file takes a second
        all_of_them = await asyncio.to_thread(targets.placeholders, snapshot, settings)
        holes = all_of_them or Refusal("no-hole", "nothing in this file is to be filled")
    else:
        syntax = parses.around(snapshot, action.span.start)
        holes = _holes(action, snapshot, syntax, settings)
    if isinstance(holes, Refusal):
        return holes
    if action.kind == DOCSTRING:
        request.task = "What is missing is a docstring of one line: say what this function does."

    def progress(done: int, of: int) -> None:
        on_step(f"{done} of {_holes_in_words(of)}", round(100 * done / of))

    outcomes = await pipeline.fill(snapshot, holes, request, settings, parses, progress, context, threshold)
    if on_outcomes:
        on_outcomes(outcomes)
    edits = [each for each in outcomes if isinstance(each, Edit)]
    refusals = [each for each in outcomes if isinstance(each, Refusal)]
    if not edits:
        return refusals[0]
    if refusals and not on_outcomes:
        on_step(f"{len(refusals)} of {_holes_in_words(len(holes))} left alone: {refusals[0].message}", 100)
    if overwrites(action, snapshot, settings, parses) and (refusal := _unsure(edits[0], settings)):
        return refusal
    return tuple(part for each in edits for part in validation.minimal(snapshot, each))


def _unsure(edit: Edit, settings: Settings) -> Refusal | None:
    """Why what somebody has written is not replaced."""
    if edit.confidence >= settings.confidence_threshold:
        return None
    return Refusal("confidence", f"the model is too unsure to replace what is there ({edit.confidence:.2f})")


def _holes_in_words(count: int) -> str:
    return f"{count} hole{'s' * (count != 1)}"


async def proofread(
    snapshot: Snapshot,
    span: Span,
    worker: Filler,
    settings: Settings,
    parses: Parses,
    on_step: OnStep,
    on_piece: OnPiece,
) -> list[DoubtfulWord] | Refusal:
    """The words of a span that the model finds doubtful, in order. `on_piece` gets them piece by piece."""
    if refusal := settings.refusal(snapshot):
        return refusal
    settings = replace(settings, deadline_ms=DEADLINE_MS)

    def progress(done: int, of: int) -> None:
        on_step(f"{done} of {of} words", round(100 * done / of))

    request = ActionRequest(worker, lambda message, percentage: None)
    return await proofreading.proofread(snapshot, span, request, settings, parses, progress, on_piece)


def _holes(
    action: Action, snapshot: Snapshot, syntax: Syntax | None, settings: Settings
) -> Sequence[Hole] | Refusal:
    if action.kind == FILL:
        found = targets.to_fill(snapshot, syntax, action.span, settings)
    elif syntax is None:
        found = Refusal("no-grammar", f"this needs a grammar, and there is none for {snapshot.language}")
    else:
        place = targets.of_docstring(snapshot, syntax, action.span.start, settings)
        found = place or Refusal("no-hole", "no function is here")
    return found if isinstance(found, Refusal) else [found]
