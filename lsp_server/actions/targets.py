"""Which hole an action has: a selection, a placeholder, the statement of a diagnostic, or a docstring.

Knows no worker and no model.
"""

from __future__ import annotations

import re

from lsp_server.config.settings import Settings
from lsp_server.infilling import hole
from lsp_server.infilling.hole import Hole
from lsp_server.infilling.placeholder import MARKER
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.lines import indentation, line_at, line_end
from lsp_server.text.scopes import docstring, statement
from lsp_server.text.syntax import Syntax, parse

PARSED_CHARS = 1_000_000  # a longer file is not parsed, so that only its `<fill>` markers are found
CHARS_PER_TOKEN = 4  # about; text longer than its hole's tokens could not be written anew
DOCSTRING_TOKENS = 32
_TOO_LONG = Refusal("too-long", "this is longer than what the model can write at once: select less")


def placeholders(whole: Snapshot, settings: Settings) -> tuple[Hole, ...]:
    """All holes of a document that have a placeholder, in order."""
    language = by_id(whole.language)
    text = whole.text.replace(MARKER, "x" * len(MARKER))  # markers make no syntax errors
    syntax = parse(text, language) if language and len(text) <= PARSED_CHARS else None
    return hole.placeholders(whole, syntax, settings.max_hole_tokens)


def to_fill(snapshot: Snapshot, syntax: Syntax | None, span: Span, settings: Settings) -> Hole | Refusal:
    """The hole at a cursor (an empty span) or of a selection."""
    if len(snapshot.text[span.start : span.end].strip()) > CHARS_PER_TOKEN * settings.max_hole_tokens:
        return _TOO_LONG
    found = hole.of_selection(snapshot, syntax, span, settings.max_hole_tokens)
    # Some editors send a cursor as a selection: Helix of one character, Vim of the whole line.
    text = snapshot.text[span.start : span.end]
    start = span.start + len(text) - len(text.lstrip())
    stripped = Span(start, start + len(text.strip()))
    meant = hole.of_selection(snapshot, syntax, Span(start, start), settings.max_hole_tokens)
    if isinstance(meant, Hole) and (len(text) == 1 or meant.span == stripped):
        found = meant
    return found if isinstance(found, Refusal) else _bounded(found)


def to_fix(snapshot: Snapshot, syntax: Syntax, span: Span, settings: Settings) -> Hole | Refusal:
    """The one statement that a diagnostic's span lies in."""
    if (around := statement(syntax, span)) is None:
        return Refusal("no-statement", "the diagnostic is not about one statement")
    found = hole.of_selection(snapshot, syntax, around, settings.max_hole_tokens)
    return found if isinstance(found, Refusal) else _bounded(found)


def _bounded(found: Hole) -> Hole | Refusal:
    if found.span.end - found.span.start > CHARS_PER_TOKEN * found.max_tokens:
        return _TOO_LONG
    return found


def of_docstring(snapshot: Snapshot, syntax: Syntax, offset: int, settings: Settings) -> Hole | None:
    """A hole for a new docstring of one line, or for the first line of the existing one. None outside
    functions, and where there is no place for one."""
    if not syntax.language.docstrings or (place := docstring(syntax, offset)) is None:
        return None
    span, there = place
    tokens = min(DOCSTRING_TOKENS, settings.max_hole_tokens)
    text = snapshot.text
    if there:
        match = re.compile(r"""\w*("{3}|'{3}|["'])[ \t]*""").match(text, span.start, span.end)
        if not match:
            return None
        line = line_at(text, match.end())
        end = min(line.end, span.end - len(match[1]))
        return Hole(Span(match.end(), end), "string", tokens) if end > match.end() else None
    indent = text[line_at(text, span.start).start : span.start]
    if indent.strip():
        return None
    quotes = '"""'
    return Hole(
        Span(span.start, span.start), "string", tokens, lead=quotes, trail=quotes + line_end(text) + indent
    )


def instruction(snapshot: Snapshot, span: Span) -> str:
    """What a comment in the first of the selected lines says; empty where it is none, or stands alone."""
    language = by_id(snapshot.language)
    first, _, rest = snapshot.text[span.start : span.end].strip().partition("\n")
    if not language or not language.comment or not first.startswith(language.comment) or not rest.strip():
        return ""
    return first.removeprefix(language.comment).strip()


def as_comment(snapshot: Snapshot, span: Span, message: str) -> str:
    """A diagnostic's message as a comment line above its statement, which any model can read; empty where the
    language has no comments."""
    language = by_id(snapshot.language)
    if not language or not language.comment:
        return ""
    line = line_at(snapshot.text, span.start)
    indent = indentation(snapshot.text[line.start : line.end])
    message = re.sub(r"\s+", " ", message).strip()[:200]
    return f"{indent}{language.comment} {message}\n" if message else ""
