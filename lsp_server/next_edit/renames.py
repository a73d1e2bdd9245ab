"""A name was changed where it is bound, so it should change where it is used.

Reads a rename off an edit. No model is asked: either the old name is still used where the new one is bound,
or there is no next edit. Knows text only; `scopes` and `file_bindings` say which uses belong to a binding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsp_server.next_edit.changes import line_changes
from lsp_server.next_edit.history import Edited
from lsp_server.text import file_bindings
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.positions import line_span
from lsp_server.text.scopes import left_over
from lsp_server.text.syntax import Parses, Syntax


@dataclass(frozen=True, slots=True)
class Rename:
    line: int  # in the document, counted from 0
    column: int  # of the new name, in code points
    old: str
    new: str


def renames(edits: Sequence[Edited]) -> Iterator[Rename]:
    """The names that were changed in a document's edits, the newest first."""
    for edit in reversed(edits):
        for change in line_changes(edit):
            if len(change.pieces) == 1 and change.line >= 0:
                old, new, column = change.pieces[0]
                if old.isidentifier() and new.isidentifier():
                    yield Rename(change.line, column, old, new)


def in_scope(snapshot: Snapshot, edits: Sequence[Edited], parses: Parses) -> tuple[tuple[Span, str], ...]:
    """The remaining uses of a function's own name that was changed, with the new name. Only the newest rename
    that has such uses counts."""
    for rename in renames(edits):
        at = _place(snapshot, rename)
        syntax = parses.around(snapshot, at.start) if at else None
        if at and syntax and (uses := left_over(syntax, at, rename.old)):
            return tuple((use, rename.new) for use in uses)
    return ()


def in_file(snapshot: Snapshot, edits: Sequence[Edited], syntax: Syntax) -> tuple[tuple[Span, str], ...]:
    """The same of a name that the file defines or imports. `syntax` is the parse of all of the snapshot."""
    for rename in renames(edits):
        at = _place(snapshot, rename)
        if at and (uses := file_bindings.left_over(syntax, at, rename.old)):
            return tuple((use, rename.new) for use in uses)
    return ()


def _place(snapshot: Snapshot, rename: Rename) -> Span | None:
    """Where the new name is; None if it is not there any more."""
    line = line_span(snapshot.text, rename.line - snapshot.first_line)
    if line is None:
        return None
    start = line.start + rename.column
    found = re.compile(rf"(?<!\w){re.escape(rename.new)}(?!\w)").match(snapshot.text, start)
    return Span(start, found.end()) if found else None
