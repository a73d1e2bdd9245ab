"""From what the model wrote to what may be offered: Snapshot + Hole + answer -> Edit | Refusal.

Text is only ever shortened here, to one line: no hole takes more yet, so the document's line ends are
never touched. What is left neither repeats what follows the cursor nor parses worse than the document
does without it.
"""

from __future__ import annotations

import re

from lsp_server.canvas import normalize
from lsp_server.document import Edit, Refusal, Snapshot
from lsp_server.hole import CLOSERS, Hole, line_at
from lsp_server.syntax import Syntax
from model_runtime.protocol import Done

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffd\ud800-\udfff]")
_CLOSES = {")": "(", "]": "[", "}": "{"}
_FOLLOWING_CHARS = 4_000  # how far a repetition of what follows is looked for


def validate(snapshot: Snapshot, syntax: Syntax | None, hole: Hole, done: Done, ms: float) -> Edit | Refusal:
    """`syntax` is the parse around the hole, None where the language has no grammar; `ms` is passed on."""
    line = line_at(snapshot.text, hole.span.start)
    head = snapshot.text[line.start : hole.span.start]
    after = normalize(snapshot.text[hole.span.end : hole.span.end + _FOLLOWING_CHARS])
    rest = after.partition("\n")[0]

    text = done.texts[0] if done.texts else ""
    if found := _UNPRINTABLE.search(text):
        return Refusal("unprintable", f"the model wrote the character U+{ord(found[0]):04X}")
    text = _spaced(text.partition("\n")[0], head, rest)
    text = without_overlap(text, after)
    if not text.strip():
        return Refusal("empty", "the model had nothing to add here")
    if repeats(head + text + rest, after.removeprefix(rest)):
        return Refusal("repeats", "the suggestion repeats the lines that follow")
    if syntax is not None and not (text := _parsing(syntax, hole, text)):
        return Refusal("parse", "the suggestion would make the file parse worse")
    return Edit(
        snapshot.uri, snapshot.version, hole.span, text, done.confidence, done.steps, ms, done.sources
    )


def _spaced(text: str, head: str, rest: str) -> str:
    """No trailing blanks at the end of a line, no second blank after one that is there."""
    if head.strip() and head[-1].isspace():
        text = text.lstrip(" \t")
    return text if rest.strip() else text.rstrip()


def without_overlap(text: str, after: str) -> str:
    """The text without its longest tail that stands after the cursor already.

    A tail does not count as a repetition if it starts inside a word, or if it closes a bracket or quote
    that the text itself opened: with `)` after the cursor, `f(x)` is whole and `f(x))` is not.
    """
    for start in range(max(0, len(text) - len(after)), len(text)):
        kept, tail = text[:start], text[start:]
        if not after.startswith(tail):
            continue
        inside_word = bool(kept) and _is_word(kept[-1]) and _is_word(tail[0])
        own_quote = any(tail.count(quote) % 2 and kept.count(quote) % 2 for quote in "'\"`")
        if not inside_word and not own_quote and unclosed(kept) <= unclosed(text):
            return kept
    return text


def repeats(completed: str, following: str) -> bool:
    """Whether the completed lines stand right below already, blank lines aside."""
    lines = [line.rstrip() for line in completed.split("\n") if line.strip()]
    below = [line.rstrip() for line in following.split("\n") if line.strip()]
    return lines == below[: len(lines)] and any(map(_is_word, completed))


def unclosed(text: str) -> int:
    """Brackets that the text opens and leaves open. Brackets in strings count too: an approximation that
    only guides the trimming, the parser has the last word."""
    open_ones: list[str] = []
    for char in text:
        if char in "([{":
            open_ones.append(char)
        elif open_ones and _CLOSES.get(char) == open_ones[-1]:
            open_ones.pop()
    return len(open_ones)


def _parsing(syntax: Syntax, hole: Hole, text: str) -> str:
    """The text, less as many closing brackets and quotes at its end as make it parse no worse; else "".

    An unfinished line does not parse anyhow, so that any text would do no harm: what the line would be
    with a plain name in the hole counts too.
    """
    before = min(syntax.errors, syntax.replaced(hole.span, "x").errors)
    while text:
        errors = syntax.replaced(hole.span, text).errors
        # Where errors stay as many, a bracket left open may be hiding behind the one that was there.
        if errors < before or (errors == before and not (errors and unclosed(text))):
            return text
        text = text[:-1].rstrip() if text[-1] in CLOSERS else ""
    return ""


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
