"""Where the new text goes: the hole at a cursor, in a selection, at a placeholder.

A hole at a cursor is empty: text after the cursor is never part of it, so it can only be repeated by
mistake (see `edit`), not lost. What the user selected, and what only holds a place, is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lsp_server import placeholder, quiet
from lsp_server.document import Refusal, Snapshot, Span
from lsp_server.lines import CLOSER_OF, CLOSERS, indentation, is_word, line_at, open_brackets

if TYPE_CHECKING:
    from lsp_server.syntax import Syntax

Kind = Literal[
    "rest-of-line",
    "middle-of-line",
    "whole-line",
    "block",
    "body",
    "arguments",
    "brackets",
    "string",
    "comment",
    "word",
    "selection",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of hole may hold. Tokens are a model's, three to four characters each."""

    tokens: int
    lines: int
    place: str  # in words, for the reader of docs/holes.md


RULES: dict[Kind, Rule] = {
    "rest-of-line": Rule(24, 1, "nothing but closing brackets, quotes and punctuation follows on the line"),
    "middle-of-line": Rule(16, 1, "code follows on the line"),
    "whole-line": Rule(32, 1, "only indentation stands before the cursor, nothing after it"),
    "block": Rule(64, 8, "a whole line, when asked for: the block goes on to where its scope ends"),
    "body": Rule(64, 8, "an empty body, or one that only holds a place"),
    "arguments": Rule(24, 1, "in a call's parentheses, nothing but closers follow"),
    "brackets": Rule(24, 1, "between a bracket and its closer"),
    "string": Rule(16, 1, "inside a string"),
    "comment": Rule(24, 1, "inside a comment"),
    "word": Rule(24, 1, "at the end of a partly typed word"),
    "selection": Rule(256, 64, "what the user selected"),
}


@dataclass(frozen=True, slots=True)
class Hole:
    """`span` is replaced by `lead` + the new text + `trail`."""

    span: Span
    kind: Kind
    max_tokens: int
    lines: int = 1  # most lines the new text may have; 1 means no newline
    indent: str = ""  # of the block that the text belongs to; lines indented less are not part of it
    lead: str = ""  # put before the text, such as the line end and indentation in `{}`
    trail: str = ""


def find(
    snapshot: Snapshot, syntax: Syntax | None, offset: int | None, max_tokens: int, *, invoked: bool = False
) -> Hole | Refusal:
    """The hole at a cursor; `offset` is None where the position named no place in the text. `invoked`: the
    user asked, so places are taken where an unasked suggestion would be a nuisance."""
    if offset is None or not 0 <= offset <= len(snapshot.text):
        return Refusal("position", "the cursor is outside the document")
    line = line_at(snapshot.text, offset)
    head, rest = snapshot.text[line.start : offset], snapshot.text[offset : line.end]
    if not invoked and (refusal := quiet.refusal(snapshot, syntax, offset)):
        return refusal
    kind = _kind(syntax, offset, head, rest, invoked)
    return _hole(Span(offset, offset), kind, max_tokens, indentation(head))


def of_selection(snapshot: Snapshot, syntax: Syntax | None, span: Span, max_tokens: int) -> Hole | Refusal:
    """The hole to fill on request: the selection, or the marker or placeholder body around a cursor."""
    if span.end > len(snapshot.text):
        return Refusal("position", "the selection is outside the document")
    if span.start == span.end:
        for hole in placeholders(snapshot, syntax, max_tokens):
            line = line_at(snapshot.text, hole.span.start)
            if line.start <= span.start <= max(line.end, hole.span.end):
                return hole
        return Refusal("no-hole", "nothing to fill here: select code, or write <fill> where it is missing")
    selected = snapshot.text[span.start : span.end]
    if not selected.strip():
        return Refusal("no-hole", "the selection is blank")
    start = span.start + len(selected) - len(selected.lstrip())
    end = span.start + len(selected.rstrip())
    indent = indentation(snapshot.text[line_at(snapshot.text, start).start : start])
    return _hole(Span(start, end), "selection", max_tokens, indent)


def placeholders(snapshot: Snapshot, syntax: Syntax | None, max_tokens: int) -> tuple[Hole, ...]:
    """Every marker, and every function body that does nothing yet in the text that `syntax` has parsed."""
    return tuple(
        replace(
            _hole(each.span, "body" if each.body else "rest-of-line", max_tokens, each.indent),
            lead=each.lead,
            trail=each.trail,
        )
        for each in placeholder.find(snapshot.text, syntax)
    )


def _hole(span: Span, kind: Kind, max_tokens: int, indent: str) -> Hole:
    rule = RULES[kind]
    return Hole(span, kind, min(rule.tokens, max_tokens), rule.lines, indent)


def _kind(syntax: Syntax | None, offset: int, head: str, rest: str, invoked: bool) -> Kind:
    if syntax and syntax.in_comment(offset):
        return "comment"
    if syntax and syntax.in_string(offset):
        return "string"
    if not head.strip() and not rest.strip():
        return "block" if invoked else "whole-line"
    if rest.strip(CLOSERS + ",:; \t"):
        return "middle-of-line"
    if head and is_word(head[-1]):
        return "word"
    if (opened := head.rstrip().rfind("(")) > 0 and open_brackets(head[opened:])[:1] == ["("]:
        return "arguments" if is_word(head[opened - 1]) else "rest-of-line"
    return "brackets" if head and rest and CLOSER_OF.get(head[-1]) == rest[0] else "rest-of-line"
