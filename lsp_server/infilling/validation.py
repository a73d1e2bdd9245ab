"""From what the model wrote to what may be offered: Snapshot + Hole + text -> Edit | Refusal.

Text is shortened (see `trim`) until it neither repeats what follows the hole nor parses worse than the
document does without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from lsp_server.infilling.canvas import normalize
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.lines import CLOSERS, indent_unit, line_at, line_end, unmatched
from lsp_server.text.syntax import Syntax
from model_runtime.protocol import Done

from . import postprocess

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffd\ud800-\udfff]")
_FOLLOWING_CHARS = 4_000  # how far a repetition of what follows is looked for
_NEAR_CHARS = 4_000  # before and after the hole, where brackets are matched and indentation is learnt
_LONGEST = 20_000  # characters of an answer that are looked at
_TRIES = 24  # parses for one answer
_TRAILING = CLOSERS + "([{"
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


def validate(
    snapshot: Snapshot, syntax: Syntax | None, hole: Hole, text: str, done: Done, ms: float = 0.0
) -> Edit | Refusal:
    """What of `text` may be offered for the hole. `syntax` is the parse around it, None where the language
    has no grammar; `done` is the answer that the text is from, or an alternative of; `ms` is passed on."""
    known = snapshot.text
    above = known[line_at(known, hole.span.start).start : hole.span.start] + hole.lead
    head = normalize(above).rpartition("\n")[2]
    after = normalize(hole.trail + known[hole.span.end : hole.span.end + _FOLLOWING_CHARS])
    rest = after.partition("\n")[0]

    text = postprocess.without_sentinels(normalize(text[:_LONGEST]), known)
    text = "\n".join(text.split("\n")[: hole.lines])
    if found := _UNPRINTABLE.search(text):
        return Refusal("unprintable", f"the model wrote the character U+{ord(found[0]):04X}")
    text = postprocess.within_block(_spaced(postprocess.without_loop(text), head, rest), hole.indent)
    text = postprocess.without_following(text, after.removeprefix(rest))
    text = postprocess.without_overlap(text, after)
    if "\n" in text:
        nearby = known[max(0, hole.span.start - _NEAR_CHARS) : hole.span.end + _NEAR_CHARS]
        text = postprocess.reindented(text, hole.indent, indent_unit(nearby, hole.indent))
    if not text.strip():
        return Refusal("empty", "the model had nothing to add here")
    if postprocess.repeats(head + text + rest, after.removeprefix(rest)):
        return Refusal("repeats", "the suggestion repeats the lines that follow")
    part = next(_fitting(known, syntax, hole, text.replace("\n", line_end(known))), None)
    if part is None:
        return Refusal("parse", "the suggestion would make the file parse worse")
    text = hole.lead + part + hole.trail
    if text == known[hole.span.start : hole.span.end]:
        return Refusal("same", "the suggestion is what stands there already")
    return Edit(
        snapshot.uri, snapshot.version, hole.span, text, done.confidence, done.steps, ms, done.sources
    )


def minimal(snapshot: Snapshot, edit: Edit) -> tuple[Edit, ...]:
    """The same change as edits of only what differs, in order and apart from each other, so that marks,
    folds and cursors in the rest survive."""
    old = snapshot.text[edit.span.start : edit.span.end]
    parts = list(_differing(old, edit.text, re.compile(r".*?(?:\r\n|\n|\r|\Z)", re.DOTALL)))
    finer = [
        (start + first, start + last, new)
        for start, end, text in parts
        for first, last, new in _differing(old[start:end], text, _TOKEN)
    ]
    at = edit.span.start
    return tuple(replace(edit, span=Span(at + first, at + last), text=new) for first, last, new in finer)


def _differing(old: str, new: str, piece: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    before, after = piece.findall(old), piece.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    starts = [0]
    for each in before:
        starts.append(starts[-1] + len(each))
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag != "equal":
            yield starts[first], starts[last], "".join(after[new_first:new_last])


def _spaced(text: str, head: str, rest: str) -> str:
    """No trailing blanks at the end of a line, no second blank after one that is there."""
    if head.strip() and head[-1].isspace():
        text = text.lstrip(" \t")
    lines = text.split("\n")
    lines = [*(line.rstrip() for line in lines[:-1]), lines[-1] if rest.strip() else lines[-1].rstrip()]
    return "\n".join(lines)


def _fitting(known: str, syntax: Syntax | None, hole: Hole, text: str) -> Iterator[str]:
    """The leading parts of the text, longest first, with which the document parses no worse and has no more
    brackets without a partner.

    An unfinished line does not parse anyhow, so that any text would do no harm: what the line would be
    with a plain name in the hole counts too.
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
    """Whether a text for the hole closes only what is open there, and leaves open only what is closed
    below. Brackets in the document's strings count as well, before as after; those in the text's need not,
    as far as it can be seen without a parse what is a string in it."""
    start, end = hole.span.start, hole.span.end
    _, opened = unmatched(known[max(0, start - _NEAR_CHARS) : start] + hole.lead)
    closed, still_open = unmatched(hole.trail + known[end : end + _NEAR_CHARS])

    def wrong(text: str) -> int:
        lonely, left_open = unmatched(opened + text + closed)
        return len(lonely) + len(left_open) + len(still_open)

    before = wrong(known[start:end])
    return lambda text: wrong(text) <= before or wrong(_QUOTED.sub("", text)) <= before


def _leading(text: str) -> Iterator[str]:
    """The text, less one line after another at its end, less brackets and quotes at the end of each."""
    tries = 0
    lines = text
    while lines and tries < _TRIES:
        part = lines
        while part and tries < _TRIES:
            yield part
            tries += 1
            part = part[:-1].rstrip() if part[-1] in _TRAILING else ""
        lines = lines.rpartition("\n")[0].rstrip()
