"""A function's parameters were changed, so its calls should change.

A renamed parameter is renamed where it is a keyword. One that was added, without a default, is passed on by
its own name where the caller has something of that name; elsewhere nobody knows what to pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lsp_server.next_edit.changes import LineChange, line_changes
from lsp_server.next_edit.history import Edited
from lsp_server.text.calls import Call, Parameter, calls, keyword_span, parameter
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.positions import line_span
from lsp_server.text.syntax import Syntax

_ADDED = re.compile(r"\W*(\w+)\b.*", re.DOTALL)


def places(snapshot: Snapshot, edits: Sequence[Edited], syntax: Syntax) -> tuple[tuple[Span, str], ...]:
    """(span, new text) of each call that does not follow the newest change of a parameter."""
    for edit in reversed(edits):
        for change in line_changes(edit):
            if len(change.pieces) == 1 and (found := tuple(_follow(snapshot, change, syntax))):
                return found
    return ()


def _follow(snapshot: Snapshot, change: LineChange, syntax: Syntax) -> Iterator[tuple[Span, str]]:
    old, new, column = change.pieces[0]
    name = _ADDED.fullmatch(new)
    line = line_span(snapshot.text, change.line - snapshot.first_line) if change.line >= 0 else None
    if name is None or line is None:
        return
    at = Span(line.start + column + name.start(1), line.start + column + name.end(1))
    its = parameter(syntax, at) if snapshot.text[at.start : at.end] == name[1] else None
    if its is None:
        return
    for call in calls(syntax, its.function):
        if old.isidentifier() and new.isidentifier():
            for keyword, argument in zip(call.keywords, call.arguments, strict=True):
                if keyword == old and (span := keyword_span(syntax, argument)):
                    yield span, new
        elif not old.strip() and not its.optional and (passed := _passed(snapshot.text, call, its, name[1])):
            yield passed


def _passed(text: str, call: Call, its: Parameter, name: str) -> tuple[Span, str] | None:
    """The argument that a call lacks, where the caller has something of the parameter's name."""
    if call.around is None:
        return None
    known = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text[call.around.start : call.around.end])
    if known is None or len(call.arguments) != its.count - 1 or name in call.keywords:
        return None
    if any(call.keywords):
        return Span(call.arguments[-1].end, call.arguments[-1].end), f", {name}={name}"
    if its.index < len(call.arguments):
        at = call.arguments[its.index].start
        return Span(at, at), f"{name}, "
    at = call.arguments[-1].end if call.arguments else call.end
    return Span(at, at), f", {name}" if call.arguments else name
