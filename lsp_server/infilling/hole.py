"""Where the new text goes: the hole at a cursor, in a selection, at a placeholder.

A hole at a cursor is empty. Text after the cursor is never part of it, so it cannot be lost, only repeated
(`validation` removes that). A selection or a placeholder is replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.lines import CLOSER_OF, CLOSERS, indentation, is_word, line_at, open_brackets

from . import placeholder, trigger_policy

if TYPE_CHECKING:
    from lsp_server.infilling.placeholder import Placeholder
    from lsp_server.text.syntax import Syntax

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
    """What a kind of hole may hold at most. A token is three to four characters."""

    tokens: int
    lines: int
    place: str  # which places are of the kind, in the words of docs/holes.md


_NEAR_CHARS = 1_000  # before and after a line, where the next line with text is looked for

RULES: dict[Kind, Rule] = {
    "rest-of-line": Rule(24, 1, "nothing but closing brackets, quotes and punctuation follows on the line"),
    "middle-of-line": Rule(16, 1, "code follows on the line"),
    "whole-line": Rule(32, 1, "only indentation stands before the cursor, nothing after it"),
    "block": Rule(64, 8, "a whole line, when asked for: the block goes on to where its scope ends"),
    "body": Rule(64, 8, "an empty body, when asked for, or one that only holds a place"),
    "arguments": Rule(24, 1, "in a call's parentheses, nothing but closers follow"),
    "brackets": Rule(24, 1, "between a bracket and its closer"),
    "string": Rule(16, 1, "inside a string"),
    "comment": Rule(24, 1, "inside a comment"),
    "word": Rule(24, 1, "at the end of a partly typed word"),
    "selection": Rule(256, 64, "what the user selected"),
}


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for new text: `span` is replaced by `lead` + the new text + `trail`."""

    span: Span
    kind: Kind
    max_tokens: int
    lines: int = 1  # most lines the new text may have; 1 means no newline
    indent: str = ""  # of the block that the text belongs to; lines indented less are not part of it
    lead: str = ""  # such as the line end and indentation that a text in `{}` needs
    trail: str = ""


def find(
    snapshot: Snapshot, syntax: Syntax | None, offset: int | None, max_tokens: int, *, invoked: bool = False
) -> Hole | Refusal:
    """The hole at a cursor; `offset` is None for a position that the text does not have. `invoked`: the user
    asked for it, so places count where an unasked suggestion would be a nuisance."""
    if offset is None or not 0 <= offset <= len(snapshot.text):
        return Refusal("position", "the cursor is outside the document")
    line = line_at(snapshot.text, offset)
    head, rest = snapshot.text[line.start : offset], snapshot.text[offset : line.end]
    if not invoked and (refusal := trigger_policy.refusal(snapshot, syntax, offset)):
        return refusal
    kind = _kind(syntax, offset, head, rest)
    if kind == "whole-line" and invoked:
        kind = "body" if _block_is_empty(snapshot.text, syntax, line) else "block"
    return _hole(Span(offset, offset), kind, max_tokens, indentation(head))


def of_selection(snapshot: Snapshot, syntax: Syntax | None, span: Span, max_tokens: int) -> Hole | Refusal:
    """The hole to fill on request: the selection, or the marker or placeholder body around a cursor."""
    if span.end > len(snapshot.text):
        return Refusal("position", "the selection is outside the document")
    if span.start == span.end:
        for each in placeholder.find(snapshot.text, syntax):
            if line_at(snapshot.text, each.around.start).start <= span.start <= each.around.end:
                return _at_placeholder(each, max_tokens)
        return Refusal("no-hole", "nothing to fill here: select code, or write <fill> where it is missing")
    selected = snapshot.text[span.start : span.end]
    if not selected.strip():
        return Refusal("no-hole", "the selection is blank")
    start = span.start + len(selected) - len(selected.lstrip())
    end = span.start + len(selected.rstrip())
    lines = selected.strip().split("\n")
    head = snapshot.text[line_at(snapshot.text, start).start : start]
    rest = snapshot.text[end : line_at(snapshot.text, end).end]
    indents = [indentation(head), *(indentation(line) for line in lines[1:] if line.strip())]
    hole = _hole(Span(start, end), "selection", max_tokens, min(indents, key=len))
    return hole if not head.strip() and not rest.strip() else replace(hole, lines=len(lines))


def placeholders(snapshot: Snapshot, syntax: Syntax | None, max_tokens: int) -> tuple[Hole, ...]:
    """A hole for every marker and every function body that does nothing yet. `syntax` is the parse of all of
    the snapshot's text; without one, markers only."""
    return tuple(_at_placeholder(each, max_tokens) for each in placeholder.find(snapshot.text, syntax))


def _at_placeholder(found: Placeholder, max_tokens: int) -> Hole:
    hole = _hole(found.span, "body" if found.body else "rest-of-line", max_tokens, found.indent)
    return replace(hole, lead=found.lead, trail=found.trail)


def _hole(span: Span, kind: Kind, max_tokens: int, indent: str) -> Hole:
    rule = RULES[kind]
    return Hole(span, kind, min(rule.tokens, max_tokens), rule.lines, indent)


def _kind(syntax: Syntax | None, offset: int, head: str, rest: str) -> Kind:
    if syntax and syntax.in_comment(offset):
        return "comment"
    if syntax and syntax.in_string(offset):
        return "string"
    if not head.strip() and not rest.strip():
        return "whole-line"
    if rest.strip(CLOSERS + ",:; \t"):
        return "middle-of-line"
    if head and is_word(head[-1]):
        return "word"
    if (opened := head.rstrip().rfind("(")) > 0 and open_brackets(head[opened:])[:1] == ["("]:
        return "arguments" if is_word(head[opened - 1]) else "rest-of-line"
    return "brackets" if head and rest and CLOSER_OF.get(head[-1]) == rest[0] else "rest-of-line"


def _block_is_empty(text: str, syntax: Syntax | None, line: Span) -> bool:
    """Whether the line above opens a block that has only this blank line."""
    above = text[max(0, line.start - _NEAR_CHARS) : line.start].rstrip().rpartition("\n")[2]
    if syntax is None or not re.search(syntax.language.opener, above):
        return False
    below = text[line.end : line.end + _NEAR_CHARS].lstrip("\r\n").partition("\n")[0]
    return not below.strip() or len(indentation(below)) <= len(indentation(above))
