"""Proofreading: find the words of a selection that the model finds unlikely.

Each word in turn becomes a hole, and the model fills it, seeing the text on both sides. Where its word is
much likelier than the written one, the written one is doubtful. Words are names, numbers, keywords and
operators; brackets, quotes and the like are left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lsp_server.actions.action_request import ActionRequest
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import is_prose
from lsp_server.text.lines import line_at
from lsp_server.text.syntax import Parses

PIECE_WORDS = 40  # about so many words are read before what was found is told; a piece ends with a line
MOST_DOUBTS = 200  # after which no more is read
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


# A piece that was read, and its doubtful words; False: no more is to be read.
OnPiece = Callable[[Span, list[DoubtfulWord]], bool]


async def proofread(
    snapshot: Snapshot,
    span: Span,
    request: ActionRequest,
    settings: Settings,
    parses: Parses,
    on_word: OnWord,
    on_piece: OnPiece,
) -> list[DoubtfulWord] | Refusal:
    """The doubtful words, in order; at most about MOST_DOUBTS."""
    matches = _word(snapshot).finditer(snapshot.text, span.start, span.end)
    if not (words := [Span(*each.span()) for each in matches]):
        return Refusal("no-hole", "there is no word to be proofread here")
    doubts: list[DoubtfulWord] = []
    done = 0
    for piece, inside in pieces(snapshot.text, span, words):
        found: list[DoubtfulWord] = []
        for word in inside:
            judged = await _judged(snapshot, word, request, settings, parses)
            if isinstance(judged, Refusal):
                return judged
            found += [judged] if judged else []
            on_word(done := done + 1, len(words))
        doubts += found
        if not on_piece(piece, found) or len(doubts) >= MOST_DOUBTS:
            break
    return doubts


def has_words(snapshot: Snapshot, span: Span) -> bool:
    """Whether there is anything to be proofread."""
    return _word(snapshot).search(snapshot.text, span.start, span.end) is not None


def pieces(text: str, span: Span, words: Sequence[Span]) -> Iterator[tuple[Span, Sequence[Span]]]:
    """The span in pieces, each with its words: at least PIECE_WORDS, and on to the end of their line."""
    start, first = span.start, 0
    while first < len(words):
        last = min(first + PIECE_WORDS, len(words))
        end = min(line_at(text, words[last - 1].end).end, span.end)
        while last < len(words) and words[last].start < end:
            last += 1
        yield Span(start, end if last < len(words) else span.end), words[first:last]
        start, first = end, last


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
