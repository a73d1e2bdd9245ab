"""Which suggestions are never shown, however sure a lane is of them."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from lsp_server.next_edit.changes import tokens
from lsp_server.next_edit.history import Edited, EditHistory, Lines
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.lines import line_at
from lsp_server.text.syntax import Syntax

SURE = 0.3  # confidence from which a suggestion is shown, see `evidence`; chosen on dev projects
MOST_LINES = 12


def objection(
    snapshot: Snapshot, edit: Edit, cursor: int, history: EditHistory, syntax: Syntax | None
) -> Refusal | None:
    """Why an edit is not to be suggested; None if it may be. `syntax` is a parse around it."""
    if edit.confidence < SURE:
        return Refusal("confidence", f"less sure than {SURE}")
    text, span = snapshot.text, edit.span
    old = text[span.start : span.end]
    if "".join(old.split()) == "".join(edit.text.split()):
        return Refusal("same", "only blanks would change")
    if max(old.count("\n"), edit.text.count("\n")) >= MOST_LINES:
        return Refusal("long", f"more than {MOST_LINES} lines would change")
    if _only_deletes(old, edit.text):
        return Refusal("deletes", "the suggestion only deletes")
    if line_at(text, cursor).start <= span.start < cursor:
        return Refusal("cursor", "the suggestion changes text left of the cursor on its line")
    before, after = lines_of(snapshot, edit)
    if history.was_rejected(edit.uri, before, after):
        return Refusal("rejected", "this was dismissed or undone here")
    first = snapshot.first_line + text.count("\n", 0, span.start)
    if _undoes(history.all(edit.uri), first, before, after):
        return Refusal("undoes", "the suggestion undoes what was typed")
    return worse(edit, syntax)


def worse(edit: Edit, syntax: Syntax | None) -> Refusal | None:
    """The one objection that also holds where the user has asked for the edit."""
    if syntax and syntax.replaced(edit.span, edit.text).errors > syntax.errors:
        return Refusal("parse", "the suggestion would make the file parse worse")
    return None


def lines_of(snapshot: Snapshot, edit: Edit) -> tuple[Lines, Lines]:
    """The lines that an edit touches, before and after it."""
    text, span = snapshot.text, edit.span
    head, tail = line_at(text, span.start).start, line_at(text, span.end).end
    before, after = text[head:tail], text[head : span.start] + edit.text + text[span.end : tail]
    return tuple(before.splitlines()), tuple(after.splitlines())


def _only_deletes(old: str, new: str) -> bool:
    return all(code.tag in ("equal", "delete") for code in Levenshtein.opcodes(tokens(old), tokens(new)))


def _undoes(edits: Sequence[Edited], first: int, before: Lines, after: Lines) -> bool:
    """Whether lines from `first` on would be nearer to what they were before an edit of the user's."""
    for each in edits:
        if not each.overlaps(each.uri, first, first + len(before) - 1):
            continue
        head, tail = max(0, first - each.line), max(0, first + len(before) - each.line)
        changed = (*each.after[:head], *after, *each.after[tail:])
        was = tokens("\n".join(each.before))
        now, then = tokens("\n".join(each.after)), tokens("\n".join(changed))
        if Levenshtein.distance(was, then) < Levenshtein.distance(was, now):
            return True
    return False
