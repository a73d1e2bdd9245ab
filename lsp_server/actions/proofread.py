"""Proofreading: every word of a selection is taken out once, and the model says what it would put there,
seeing both sides. Where that is much likelier than what is written, the word is in doubt.

Words are names, numbers, keywords and operators; brackets, quotes and the like are left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.actions.action_request import Asked
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses

MOST_WORDS = 400
MOST_DOUBTS = 50
TOKENS = 8  # that a word may become, at least
BAR = 0.9  # confidence from which on a word is in doubt (benchmarks/proofread.py)

_WORD = re.compile(r"\w+|[-+*/%<>=!&|^~@]+")

OnWord = Callable[[int, int], None]  # words done, of how many


@dataclass(frozen=True, slots=True)
class Doubt:
    span: Span
    text: str  # what may stand there instead; empty where nothing fits
    confidence: float


async def proofread(
    snapshot: Snapshot, span: Span, worker: Asked, settings: Settings, parses: Parses, on_word: OnWord
) -> list[Doubt] | Refusal:
    """The words in doubt, in order."""
    if isinstance(words := words_of(snapshot, span), Refusal):
        return words
    doubts: list[Doubt] = []
    for number, word in enumerate(words, start=1):
        found = await _judged(snapshot, word, worker, settings, parses)
        if isinstance(found, Refusal):
            return found
        doubts += [found] if found else []
        on_word(number, len(words))
        if len(doubts) == MOST_DOUBTS:
            break
    return doubts


def words_of(snapshot: Snapshot, span: Span) -> list[Span] | Refusal:
    words = [Span(*found.span()) for found in _WORD.finditer(snapshot.text, span.start, span.end)]
    if not words:
        return Refusal("no-hole", "select the text to be proofread")
    if len(words) > MOST_WORDS:
        return Refusal("too-long", f"at most {MOST_WORDS} words are proofread at once: select less")
    return words


async def _judged(
    snapshot: Snapshot, word: Span, worker: Asked, settings: Settings, parses: Parses
) -> Doubt | Refusal | None:
    written = snapshot.text[word.start : word.end]
    tokens = min(settings.max_hole_tokens, max(TOKENS, word.end - word.start))
    hole = Hole(word, "middle-of-line", tokens)
    worker.original = written
    answer = await pipeline.ask(snapshot, [hole], worker, settings)
    if isinstance(answer, Refusal):
        return answer
    if answer.texts[0].strip() == written or answer.confidence < BAR:
        return None
    other = validation.validate(snapshot, parses.around(snapshot, word.start), hole, answer.texts[0], answer)
    if isinstance(other, Edit) and _WORD.fullmatch(other.text.strip()):
        return Doubt(word, other.text.strip(), answer.confidence)
    return Doubt(word, "", answer.confidence)
