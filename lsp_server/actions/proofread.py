"""Proofreading: find the words of a selection that the model finds unlikely.

Each word in turn becomes a hole, and the model fills it, seeing the text on both sides. Where its word is
much likelier than the written one, the written one is doubtful. Words are names, numbers, keywords and
operators; brackets, quotes and the like are left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.actions.action_request import ActionRequest
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import is_prose
from lsp_server.text.syntax import Parses

MOST_WORDS = 400
MOST_DOUBTS = 50
TOKENS = 8  # a hole is at least so long, whatever the word's length
BAR = 0.9  # confidence from which a word is doubtful; benchmarks/proofread.py measures it

_WORD = re.compile(r"\w+|[-+*/%<>=!&|^~@]+")

_PROSE_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")

OnWord = Callable[[int, int], None]  # words done, words in all


@dataclass(frozen=True, slots=True)
class DoubtfulWord:
    span: Span
    text: str  # what may stand there instead; empty if the model has no single word
    confidence: float  # in [0, 1], that the written word is wrong


async def proofread(
    snapshot: Snapshot,
    span: Span,
    request: ActionRequest,
    settings: Settings,
    parses: Parses,
    on_word: OnWord,
) -> list[DoubtfulWord] | Refusal:
    """The doubtful words, in order; at most MOST_DOUBTS."""
    if isinstance(words := words_of(snapshot, span), Refusal):
        return words
    doubts: list[DoubtfulWord] = []
    for number, word in enumerate(words, start=1):
        found = await _judged(snapshot, word, request, settings, parses)
        if isinstance(found, Refusal):
            return found
        doubts += [found] if found else []
        on_word(number, len(words))
        if len(doubts) == MOST_DOUBTS:
            break
    return doubts


def words_of(snapshot: Snapshot, span: Span) -> list[Span] | Refusal:
    """The words that would be proofread; a refusal if there are none, or too many."""
    found = _word(snapshot).finditer(snapshot.text, span.start, span.end)
    words = [Span(*each.span()) for each in found]
    if not words:
        return Refusal("no-hole", "select the text to be proofread")
    if len(words) > MOST_WORDS:
        return Refusal("too-long", f"at most {MOST_WORDS} words are proofread at once: select less")
    return words


def _word(snapshot: Snapshot) -> re.Pattern[str]:
    """In prose only what is read aloud: marks are not doubted."""
    return _PROSE_WORD if is_prose(snapshot.language) else _WORD


async def _judged(
    snapshot: Snapshot, word: Span, request: ActionRequest, settings: Settings, parses: Parses
) -> DoubtfulWord | Refusal | None:
    written = snapshot.text[word.start : word.end]
    tokens = min(settings.max_hole_tokens, max(TOKENS, word.end - word.start))
    hole = Hole(word, "middle-of-line", tokens)
    request.original = written
    answer = await pipeline.ask(snapshot, [hole], request, settings)
    if isinstance(answer, Refusal):
        return answer
    if answer.texts[0].strip() == written or answer.confidence < BAR:
        return None
    other = validation.validate(snapshot, parses.around(snapshot, word.start), hole, answer.texts[0], answer)
    if isinstance(other, Edit) and _word(snapshot).fullmatch(other.text.strip()):
        return DoubtfulWord(word, other.text.strip(), answer.confidence)
    return DoubtfulWord(word, "", answer.confidence)
