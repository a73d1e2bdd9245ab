"""One contender's answer at one place, through the server's pipeline.

At a cursor the request is an automatic one, under all the rules that keep suggestions from a user who wants
none, except the confidence threshold: that is applied when outcomes are counted. Where the rules refuse, the
same place is asked again as if the user had invoked completion. That answer is judged, but never counts as
shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from evaluation.contenders import Contender, Stopwatch
from evaluation.open_project import OpenProject
from evaluation.places import Place
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.lines import indentation
from lsp_server.text.syntax import Parses, Syntax

NAMED_TOKENS = 47  # of a hole that the user names: as many as the embedded model's slot has
NAMED_LINES = 16


@dataclass(frozen=True, slots=True)
class Answer:
    text: str  # what would stand in the hole; "" where nothing is offered
    whole: str  # the document with it
    confidence: float
    steps: int
    ms: float
    allowed: bool  # False: the rules refuse an automatic suggestion here
    reason: str  # why nothing is offered, or ""
    candidates: tuple[str, ...] = ()  # all texts that were ranked, the offered one among them


async def ask(
    place: Place, contender: Contender, settings: Settings, project: OpenProject | None = None
) -> Answer:
    """`ms` leaves out the time in which the contender reads the text before the hole. `project`: where the
    place's document is open."""
    settings = replace(settings, confidence_threshold=0.0)
    uri = project.uri if project else f"file:///evaluation/{place.name}"
    snapshot = Snapshot(uri, 0, place.language, place.before + place.after)
    watch = Stopwatch(contender, project.workspace if project else "")
    started = time.perf_counter()
    at, parses = len(place.before), Parses()

    def context(snapshot: Snapshot, offset: int, syntax: Syntax | None) -> tuple[str, ...]:
        return project.context.gather(snapshot, offset, syntax) if project else place.context

    if place.named:
        outcome = (await pipeline.fill(snapshot, [named_hole(place)], watch, settings, parses))[0]
    else:
        outcome = await pipeline.suggest(snapshot, at, watch, settings, parses, context=context)
    allowed = watch.called
    if not allowed and place.middle is not None:  # its best guess all the same
        outcome = await pipeline.suggest(snapshot, at, watch, settings, parses, invoked=True, context=context)
    ms = (time.perf_counter() - started) * 1000 - watch.preparing_ms
    if isinstance(outcome, Refusal):
        said = outcome.reason
        return Answer("", snapshot.text, 0.0, watch.steps, ms, allowed, said, watch.candidates)
    whole = snapshot.text[: outcome.span.start] + outcome.text + snapshot.text[outcome.span.end :]
    inside = whole.startswith(place.before) and len(whole) >= len(snapshot.text)
    text = whole[at : len(whole) - len(place.after)] if inside else outcome.text
    return Answer(text, whole, outcome.confidence, watch.steps, ms, allowed, "", watch.candidates)


def named_hole(place: Place) -> Hole:
    """A hole of several lines, indented no deeper than the lines around it."""
    head = place.before.rpartition("\n")[2] or place.before.rstrip().rpartition("\n")[2]
    below = next((line for line in place.after.split("\n")[1:] if line.strip()), head)
    indent = min(indentation(head), indentation(below), key=len)
    at = len(place.before)
    return Hole(Span(at, at), "block", NAMED_TOKENS, NAMED_LINES, indent)
