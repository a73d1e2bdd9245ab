"""One place, one contender: through the server's pipeline to an answer.

At a cursor the request is an automatic one, with every rule that an editor's user is protected by, except
that the confidence is only noted: the threshold is applied when outcomes are counted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from evaluation.contenders import Contender, Stopwatch
from evaluation.places import Place
from lsp_server import pipeline
from lsp_server.document import Edit, Refusal, Snapshot, Span
from lsp_server.settings import Settings
from lsp_server.syntax import Parses
from model_runtime.protocol import Fixed, Infill, Refused, Slot

NAMED_TOKENS = 47  # of a hole that the user names: as many as the embedded model's slot has
PREFIX, SUFFIX = 8_000, 2_000  # characters around it, as the server sends


@dataclass(frozen=True, slots=True)
class Answer:
    text: str  # what would stand in the hole; "" where nothing is offered
    whole: str  # the document with it
    confidence: float
    steps: int
    ms: float
    asked: bool  # False: the rules were against it before any model saw the place
    reason: str  # why nothing is offered, or ""


async def ask(place: Place, contender: Contender, settings: Settings) -> Answer:
    settings = replace(settings, confidence_threshold=0.0)
    snapshot = Snapshot(f"file:///evaluation/{place.name}", 0, place.language, place.before + place.after)
    watch = Stopwatch(contender)
    started = time.perf_counter()
    if place.named:
        outcome = await _fill(snapshot, len(place.before), watch)
    else:
        outcome = await pipeline.suggest(snapshot, len(place.before), watch, settings, Parses())
    ms = (time.perf_counter() - started) * 1000 - watch.preparing_ms
    if isinstance(outcome, Refusal):
        return Answer("", snapshot.text, 0.0, watch.steps, ms, watch.asked, outcome.reason)
    whole = snapshot.text[: outcome.span.start] + outcome.text + snapshot.text[outcome.span.end :]
    inside = whole.startswith(place.before) and len(whole) >= len(snapshot.text)
    text = whole[len(place.before) : len(whole) - len(place.after)] if inside else outcome.text
    return Answer(text, whole, outcome.confidence, watch.steps, ms, watch.asked, "")


async def _fill(snapshot: Snapshot, offset: int, watch: Stopwatch) -> Edit | Refusal:
    """A hole of several lines that the user named, just as the model fills it: at a cursor the server takes
    one line, so these answers are cut and checked by nobody."""
    lines = snapshot.text.rfind("\n", 0, offset) + 1
    prefix = snapshot.text[snapshot.text.find("\n", lines - PREFIX) + 1 if lines > PREFIX else 0 : lines]
    pieces = (
        Fixed(snapshot.text[lines:offset]),
        Slot(NAMED_TOKENS),
        Fixed(snapshot.text[offset : offset + SUFFIX]),
    )
    shown = tuple(piece for piece in pieces if piece != Fixed(""))
    answer = await watch.fill(Infill(0, snapshot.uri, prefix, shown, language=snapshot.language))
    if isinstance(answer, Refused):
        return Refusal(answer.reason, answer.message)
    if not answer.texts[0].strip():
        return Refusal("empty", "the model had nothing to add here")
    span = Span(offset, offset)
    return Edit(snapshot.uri, 0, span, answer.texts[0], answer.confidence, answer.steps, 0.0)
