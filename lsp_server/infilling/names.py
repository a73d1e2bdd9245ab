"""Names that stand in the document, and which of them a word at the cursor can only become.

A guide from the text: any word counts that stands outside comments and strings, in scope or not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsp_server.text.document import Snapshot

if TYPE_CHECKING:
    from lsp_server.text.syntax import Syntax

LEAST = 3  # characters of a name that are typed before the rest is offered
# How often the only name that begins so is the one: of 1,000 names in the development projects 0.94 of those
# that had one, by `python -m benchmarks.names`. The model is not asked there.
USUALLY_RIGHT = 0.94

_NEAR = 200  # characters before the cursor that are looked at
_WORD = re.compile(r"[^\W\d]\w*\Z")
# What a new name comes after.
_NEW = re.compile(
    r"\b(?:def|class|function|func|fn|let|var|const|val|struct|enum|trait|interface|type|as|for|lambda)\s+\Z"
)


def word_before(text: str) -> str:
    """The name or the beginning of one that a text ends in; empty if it ends in none."""
    found = _WORD.search(text[-_NEAR:])
    return found[0] if found else ""


def rest(snapshot: Snapshot, syntax: Syntax | None, offset: int, written: str = "") -> str:
    """What is missing of the only name that begins with the word at `offset`, with `written` there already.
    Empty where that word is short, is new here, is a name itself, or may become several."""
    head = snapshot.text[max(0, offset - _NEAR) : offset] + written
    word = word_before(head)
    if len(word) < LEAST or _NEW.search(head[: len(head) - len(word)]):
        return ""
    found = _longer(snapshot, syntax, offset, word, written)
    return found.pop()[len(word) :] if len(found) == 1 and word not in found else ""


def is_partial(snapshot: Snapshot, syntax: Syntax | None, offset: int, written: str) -> bool:
    """Whether `written` at `offset` ends in what is no name here, but the beginning of one or several."""
    word = word_before(snapshot.text[max(0, offset - _NEAR) : offset] + written)
    found = _longer(snapshot, syntax, offset, word, written) if word else set()
    return bool(found) and word not in found


def _longer(snapshot: Snapshot, syntax: Syntax | None, offset: int, word: str, written: str) -> set[str]:
    """The names that begin with `word`, it included if it is one: `word` ends in what is `written` at
    `offset`, and there it does not count."""
    here = offset + len(written) - len(word)
    return {
        each[0]
        for each in re.finditer(rf"\b{re.escape(word)}\w*", snapshot.text)
        if each.start() != here
        and not (syntax and (syntax.in_comment(each.start()) or syntax.in_string(each.start())))
    }
