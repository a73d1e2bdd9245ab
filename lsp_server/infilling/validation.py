"""From what the model wrote to what may be offered: Snapshot + Hole + text -> Edit | Refusal.

The text is shortened (see `postprocess`) until it neither repeats what follows the hole nor makes the
document parse worse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate

from rapidfuzz.distance import Levenshtein

from lsp_server.infilling.canvas import normalize
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import is_prose
from lsp_server.text.lines import CLOSERS, indent_unit, indentation, line_at, line_end, unmatched
from lsp_server.text.syntax import Syntax
from model_runtime.protocol import Done

from . import placeholder, postprocess

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffd\ud800-\udfff]")
_FOLLOWING_CHARS = 4_000  # after the hole, that an answer is compared with
_NEAR_CHARS = 4_000  # before and after the hole, where brackets are matched and indentation is measured
_LONGEST = 20_000  # characters of an answer that are looked at
_TRIES = 24  # parts of one answer that are parsed
_TRAILING = CLOSERS + "([{"
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
_LINE = re.compile(r".*?(?:\r\n|\n|\r|\Z)", re.DOTALL)


def validate(
    snapshot: Snapshot, syntax: Syntax | None, hole: Hole, text: str, done: Done, ms: float = 0.0
) -> Edit | Refusal:
    """What of `text` may be offered for the hole. `syntax` is the parse around the hole, None where the
    language has no grammar. `done` is the answer that holds the text; its figures and `ms` go into the
    edit."""
    known = snapshot.text
    above = known[line_at(known, hole.span.start).start : hole.span.start] + hole.lead
    head = normalize(above).rpartition("\n")[2]
    after = normalize(hole.trail + known[hole.span.end : hole.span.end + _FOLLOWING_CHARS])
    rest = after.partition("\n")[0]

    text = postprocess.without_sentinels(normalize(text[:_LONGEST]), known)
    text = "\n".join(text.split("\n")[: hole.lines])
    if refusal := unprintable(text):
        return refusal
    text = postprocess.within_block(_spaced(postprocess.without_loop(text), head, rest), hole.indent)
    if head and not head.strip() and not _begins_block(known, hole):
        text = postprocess.at_block(text, hole.indent)
    text = postprocess.without_following(text, after.removeprefix(rest))
    text = postprocess.without_overlap(text, after)
    prose = syntax is None and is_prose(snapshot.language)  # where blanks may mean anything
    if "\n" in text and not prose:
        nearby = known[max(0, hole.span.start - _NEAR_CHARS) : hole.span.end + _NEAR_CHARS]
        text = postprocess.reindented(text, hole.indent, indent_unit(nearby, hole.indent))
    if not text.strip():
        return Refusal("empty", "the model had nothing to add here")
    if postprocess.repeats(head + text + rest, after.removeprefix(rest)):
        return Refusal("repeats", "the suggestion repeats the lines that follow")
    part = next(_fitting(known, syntax, hole, text.replace("\n", line_end(known))), None)
    if part is None:
        return Refusal("parse", "the suggestion would make the file parse worse")
    language = syntax.language if syntax else None
    if _is_placeholder(hole) and placeholder.only_holds_a_place(part, language):
        return Refusal("placeholder", "what the model wrote only holds the place, too")
    text = hole.lead + part + hole.trail
    if text == known[hole.span.start : hole.span.end]:
        return Refusal("same", "the suggestion is what stands there already")
    return Edit(
        snapshot.uri, snapshot.version, hole.span, text, done.confidence, done.steps, ms, done.sources
    )


def unprintable(text: str) -> Refusal | None:
    """Why a model's text may not be offered, whatever it replaces."""
    found = _UNPRINTABLE.search(text)
    return Refusal("unprintable", f"the model wrote the character U+{ord(found[0]):04X}") if found else None


def hunks(snapshot: Snapshot, edit: Edit) -> tuple[Edit, ...]:
    """The same change as edits of only the lines that differ. In order, with text between them."""
    return _apart(snapshot, edit, _LINE)


def minimal(snapshot: Snapshot, edit: Edit) -> tuple[Edit, ...]:
    """The same change as edits of only the tokens that differ, so that marks, folds and cursors in the rest
    survive. In order, with text between them."""
    return tuple(part for hunk in hunks(snapshot, edit) for part in _apart(snapshot, hunk, _TOKEN))


def _apart(snapshot: Snapshot, edit: Edit, piece: re.Pattern[str]) -> tuple[Edit, ...]:
    at, end = edit.span.start, edit.span.end
    parts = _differing(snapshot.text[at:end], edit.text, piece)
    return tuple(replace(edit, span=Span(at + first, at + last), text=new) for first, last, new in parts)


def _differing(old: str, new: str, piece: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text) where the texts differ, compared piece by piece."""
    before, after = piece.findall(old), piece.findall(new)
    starts = [0, *accumulate(map(len, before))]
    numbers: dict[str, int] = {}  # equal pieces have equal numbers
    codes = [[numbers.setdefault(each, len(numbers)) for each in pieces] for pieces in (before, after)]
    at = new_at = 0
    for same in Levenshtein.opcodes(*codes).as_matching_blocks():  # the last one is empty, at both ends
        if (at, new_at) != (same.a, same.b):
            yield starts[at], starts[same.a], "".join(after[new_at : same.b])
        at, new_at = same.a + same.size, same.b + same.size


def _is_placeholder(hole: Hole) -> bool:
    """Whether the hole replaces or completes something that only holds a place; no cursor, no selection."""
    return hole.kind in ("body", "rest-of-line") and bool(hole.lead or hole.span.start < hole.span.end)


def _begins_block(known: str, hole: Hole) -> bool:
    """Whether the hole is a cursor no deeper than the line above, which opens something: then the text may
    have to be deeper than the cursor."""
    if hole.lead or hole.span.start < hole.span.end:
        return False
    line = line_at(known, hole.span.start)
    above = known[max(0, line.start - _NEAR_CHARS) : line.start].rstrip()
    last = above[line_at(above, len(above)).start :]
    return postprocess.opens_block(last) and len(indentation(last)) >= len(hole.indent)


def _spaced(text: str, head: str, rest: str) -> str:
    """The text without trailing blanks, and without blanks at its start if the head ends in one."""
    if head.strip() and head[-1].isspace():
        text = text.lstrip(" \t")
    lines = text.split("\n")
    lines = [*(line.rstrip() for line in lines[:-1]), lines[-1] if rest.strip() else lines[-1].rstrip()]
    return "\n".join(lines)


def _fitting(known: str, syntax: Syntax | None, hole: Hole, text: str) -> Iterator[str]:
    """The leading parts of the text, longest first, that leave the document with no more syntax errors and
    no more unmatched brackets.

    An unfinished line has errors already, so almost any text would pass. So the errors with a plain name
    in the hole are counted too, and the smaller number is the limit.
    """
    balanced = _balance(known, hole)
    fewest = None
    for part in _leading(text):
        if not balanced(part):
            continue
        if syntax is None:
            yield part
            continue
        if fewest is None:
            fewest = min(syntax.errors, syntax.replaced(hole.span, hole.lead + "x" + hole.trail).errors)
        if syntax.replaced(hole.span, hole.lead + part + hole.trail).errors <= fewest:
            yield part


def _balance(known: str, hole: Hole) -> Callable[[str], bool]:
    """A test of texts for the hole: whether one leaves no more brackets unmatched than there are now.

    Brackets in strings of the document count, before as after. Those in quotes in the text may be left
    out of the count."""
    start, end = hole.span.start, hole.span.end
    _, opened = unmatched(known[max(0, start - _NEAR_CHARS) : start] + hole.lead)
    closed, still_open = unmatched(hole.trail + known[end : end + _NEAR_CHARS])

    def unpaired(text: str) -> int:
        closers, openers = unmatched(opened + text + closed)
        return len(closers) + len(openers) + len(still_open)

    before = unpaired(known[start:end])
    return lambda text: unpaired(text) <= before or unpaired(_QUOTED.sub("", text)) <= before


def _leading(text: str) -> Iterator[str]:
    """The text with fewer and fewer lines at its end, and each time with fewer brackets and quotes there."""
    tries = 0
    lines = text
    while lines and tries < _TRIES:
        part = lines
        while part and tries < _TRIES:
            yield part
            tries += 1
            part = part[:-1].rstrip() if part[-1] in _TRAILING else ""
        lines = lines.rpartition("\n")[0].rstrip()
