"""Placeholders: `<fill>` markers, and function bodies that do nothing yet.

Finds them; `hole` makes holes of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.text import scopes
from lsp_server.text.document import Span
from lsp_server.text.lines import indent_unit, indentation, line_at, line_end

if TYPE_CHECKING:
    from lsp_server.text.languages import Language
    from lsp_server.text.syntax import Syntax

MARKER = "<fill>"
_TODO = re.compile(r"\b(?:TODO|FIXME|XXX)\b", re.IGNORECASE)
_DOCSTRING = re.compile(r"""\s*[rRuU]?(?:("{3}|'{3})(?s:.*?)\1|"[^"\n]*"|'[^'\n]*')[ \t]*(?=[\r\n])""")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`span` is to be replaced by `lead` + new text + `trail`."""

    span: Span
    around: Span  # what it is part of: the line of a marker, the function of a body
    body: bool  # the new text may take several lines
    indent: str  # of the new text's lines
    lead: str = ""
    trail: str = ""


def find(text: str, syntax: Syntax | None) -> list[Placeholder]:
    """All placeholders of a text, in order. `syntax` is the parse of all of it; without one, markers only."""
    language = syntax.language if syntax else None
    found = [_marker(text, match.start(), language) for match in re.finditer(MARKER, text)]
    if syntax and language and language.placeholder is not None:
        bodies = (_body(text, whole, inside, language) for whole, inside in scopes.function_bodies(syntax))
        found += [body for body in bodies if body and not any(_within(each, body) for each in found)]
    return sorted(found, key=lambda each: each.span.start)


def only_holds_a_place(text: str, language: Language | None) -> bool:
    """Whether a text that was written for a placeholder is one itself, comments aside."""
    if MARKER in text or language is None:
        return MARKER in text
    notes = list(_comments(text, Span(0, len(text)), language))
    statement = text[notes[-1].end if notes else 0 :].strip()
    return not statement or bool(language.placeholder and re.fullmatch(language.placeholder, statement))


def masked(text: str, spans: Iterable[Span]) -> str:
    """The text with each span that holds a marker replaced by a name of the same length, which can parse."""
    for span in spans:
        if MARKER in text[span.start : span.end]:
            text = text[: span.start] + "x" * (span.end - span.start) + text[span.end :]
    return text


def _marker(text: str, start: int, language: Language | None) -> Placeholder:
    """The marker at an offset, with the line comment around it if that holds nothing else."""
    line = line_at(text, start)
    end = start + len(MARKER)
    head = text[line.start : start]
    alone = not text[end : line.end].strip()
    if language and language.comment and alone and head.rstrip().endswith(language.comment):
        head = head.rstrip().removesuffix(language.comment)
        start = line.start + len(head)
    return Placeholder(Span(start, end), line, alone and not head.strip(), indentation(head))


def _body(text: str, whole: Span, inside: Span, language: Language) -> Placeholder | None:
    """The part to replace of a function's body; None if the body does something, or says why not."""
    start = inside.start
    if language.docstrings and (docstring := _DOCSTRING.match(text, inside.start, inside.end)):
        start = docstring.end()
    notes = list(_comments(text, Span(start, inside.end), language))
    after = notes[-1].end if notes else start
    rest = text[after : inside.end]
    if statement := rest.strip():
        if not language.placeholder or not re.fullmatch(language.placeholder, statement):
            return None
        first = after + len(rest) - len(rest.lstrip())
        indent = text[line_at(text, first).start : first]
        if indent.strip():
            return _on_the_line(text, whole, inside, first)
        return Placeholder(Span(first, first + len(statement)), whole, True, indent)
    if notes:
        if any(_TODO.search(text[note.start : note.end]) is None for note in notes):
            return None  # a comment that is no to-do says why the body is empty
        indent = indentation(text[line_at(text, after).start :])
        return Placeholder(Span(after, after), whole, True, indent, lead=line_end(text) + indent)
    header = text[line_at(text, inside.start).start : inside.start]
    if not language.empty_bodies or re.search(language.constructor, header):
        return None
    return _on_the_line(text, whole, inside, inside.start)


def _on_the_line(text: str, whole: Span, inside: Span, start: int) -> Placeholder:
    """A placeholder for a body that begins on its function's line: the new text gets lines of its own."""
    newline = line_end(text)
    outer = indentation(text[line_at(text, start).start :])
    indent = outer + indent_unit(text)
    if text[inside.start - 1 : inside.start] == "{":
        return Placeholder(inside, whole, True, indent, newline + indent, newline + outer)
    return Placeholder(Span(_blanks_before(text, start), inside.end), whole, True, indent, newline + indent)


def _blanks_before(text: str, start: int) -> int:
    """Where the blanks before an offset begin."""
    return len(text[:start].rstrip(" \t"))


def _comments(text: str, inside: Span, language: Language) -> Iterator[Span]:
    """The line comments that the span begins with, each on a line of its own."""
    at = inside.start
    comment = re.compile(rf"\s*({re.escape(language.comment)}[^\r\n]*)") if language.comment else None
    while comment and (match := comment.match(text, at, inside.end)):
        yield Span(match.start(1), match.end(1))
        at = match.end()


def _within(inner: Placeholder, outer: Placeholder) -> bool:
    return outer.span.start <= inner.span.start and inner.span.end <= outer.span.end
