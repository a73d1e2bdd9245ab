"""Retrieved drafts for a hole: text that follows similar text elsewhere in the buffer, or in the pieces of
other files that a request brings.

There are two ways to be similar. *Literal*: the text before the hole ends like the text before some other
place; the longer they agree, the better. *By analogy*: another line has the same shape as this one with other
names (`self.price = price` for `self.quantity = `); its continuation is taken with the names replaced.

Pure text, no model. Nothing found here is offered as it is: drafts are ranked against the model's own
fills by the model (`reranker`).
"""

from __future__ import annotations

import keyword
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

MOST = 8  # drafts per hole
_SEED = 3  # characters that have to agree before a place is looked at
_SEED_ELSEWHERE = 8  # in another file, where less is chance
_ANOTHER_FILE = 1_000  # distance in lines that another file counts as
_LONGEST = 400  # characters of a draft
_FAR = 200  # agreement is not measured beyond this many characters
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_NAME = re.compile(r"[^\W\d]\w*")
_KEYWORDS = frozenset(keyword.kwlist) | {"self"}


@dataclass(frozen=True, slots=True)
class Draft:
    text: str
    agreement: int  # characters before the hole that agree; for an analogy, of its shape
    analogy: bool
    distance: int  # lines to where it was found
    places: int = 1  # that propose this text


def retrieve(before: str, after: str, lines: int = 1, elsewhere: Sequence[str] = ()) -> list[Draft]:
    """Drafts of at most `lines` lines, best first, for the hole between `before` and `after`.

    `before` ends where the hole starts; `after` is the text that will follow it, beginning with the
    rest of the line; `elsewhere` is text of other files."""
    tail = after.split("\n", 1)[0].strip()
    found: dict[str, Draft] = {}
    part = Part(lines, _indent(before), next((line for line in after.split("\n")[1:] if line.strip()), ""))
    candidates = [*_literal(before, before, part), *_literal(before, after, part)]
    for text in elsewhere:
        found_there = _literal(before, text, part, _SEED_ELSEWHERE)
        candidates += (replace(draft, distance=_ANOTHER_FILE) for draft in found_there)
    for draft in sorted([*candidates, *_analogous(before, after)], key=_order):
        text = _fitted(draft.text, tail)
        if known := found.get(text):
            found[text] = replace(known, places=known.places + 1)
        elif text.strip() and len(found) < MOST:
            found[text] = replace(draft, text=text)
    return list(found.values())


def continued(suggested: str, typed: str) -> Draft | None:
    """What is left of an earlier suggestion once `typed` stands where it was offered: the rest of it, or,
    where other names were typed in the same shape, the rest with the names replaced."""
    if suggested.startswith(typed):
        rest, analogy = suggested[len(typed) :], False
    else:
        names, used = _renaming(_WORD.findall(suggested), _WORD.findall(typed))
        rest, analogy = _renamed(suggested[used:], names), True
        if not names:
            return None
    return Draft(rest, len(typed), analogy, 0) if typed and rest.strip() else None


def _order(draft: Draft) -> tuple[float, int]:
    return (-draft.agreement, draft.distance)


def _fitted(text: str, tail: str) -> str:
    """Cut before what already follows the hole on its line."""
    if not tail:
        return text.rstrip()
    depth = 0
    for i, char in enumerate(text):
        if depth == 0 and text.startswith(tail[:2], i):
            return text[:i]
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return text[:i]
    return "" if tail[0] in ")]}\"'" else text.rstrip()


@dataclass(frozen=True, slots=True)
class Part:
    """How much is taken of the text that follows a similar place: at most so many `lines`."""

    lines: int
    indent: int  # columns of the hole's line; what is indented less no longer belongs to its block
    following: str  # the next line after the hole that is not blank; the text ends before it

    def of(self, source: str, place: int) -> str:
        first, *rest = source[place : place + _LONGEST].split("\n", self.lines)[: self.lines]
        kept = [first]
        for line in rest:
            if line.strip() and (line == self.following or _columns(line) < self.indent):
                break
            kept.append(line)
        return "\n".join(kept)


def _indent(before: str) -> int:
    """Columns by which the last line is indented."""
    return _columns(before.rpartition("\n")[2])


def _columns(line: str) -> int:
    return len((line[: len(line) - len(line.lstrip(" \t"))]).expandtabs(4))


def _literal(before: str, source: str, part: Part, least: int = _SEED) -> Iterator[Draft]:
    """Places in `source` whose preceding text ends like `before` does, at least as far as `least`."""
    seed = before[-least:]
    if len(seed) < least:
        return
    own = len(before) if source is before else -1
    starts = [m.start() for m in re.finditer("\n", source)]
    here = len(starts) if source is before else 0
    at = source.find(seed)
    while at >= 0:
        place = at + len(seed)
        if place != own:
            agreement = _agreement(before, source, place)
            distance = abs(here - bisect_right(starts, place))
            yield Draft(part.of(source, place), agreement, False, distance)
        at = source.find(seed, at + 1)


def _agreement(before: str, source: str, place: int) -> int:
    """Length of the common end of `before` and `source[:place]`."""
    n = 0
    limit = min(len(before), place, _FAR)
    while n < limit and before[-1 - n] == source[place - 1 - n]:
        n += 1
    return n


def _analogous(before: str, after: str) -> Iterator[Draft]:
    """Lines of the same shape as the one before the hole, renamed."""
    above = before.split("\n")
    head = above.pop()
    below = after.split("\n")[1:]
    if not head.strip():
        yield from _next_lines(above, head)
        return
    words = _WORD.findall(head.lstrip())
    if sum(bool(_NAME.match(w)) for w in words) < 1:
        return
    for distance, line in [*((len(above) - i, s) for i, s in enumerate(above)), *enumerate(below, 1)]:
        for text in _alike(line.lstrip(), words):
            yield Draft(text, len(head.lstrip()), True, distance)


def _alike(line: str, words: list[str]) -> Iterator[str]:
    """What follows `words` in a line of their shape; where the last of them is the beginning of the line's
    name there, also with the rest of that name."""
    theirs = _WORD.findall(line)
    typed = words[-1]
    names, used = _renaming(theirs, words[:-1])
    if names and theirs[len(words) - 1 :] and _is_beginning(typed, last := theirs[len(words) - 1]):
        rest = line[used + len(last) :]
        yield last[len(typed) :] + _renamed(rest, names)
    names, used = _renaming(theirs, words)
    if names:
        yield _renamed(line[used:], names)


def _is_beginning(typed: str, name: str) -> bool:
    return typed != name and name.startswith(typed) and bool(_NAME.fullmatch(name))


def _next_lines(above: list[str], indent: str) -> Iterator[Draft]:
    """For an empty line: what followed a line of the same shape as the one above."""
    while above and not above[-1].strip():
        above.pop()
    if not above:
        return
    words = _WORD.findall(above[-1].strip())
    for i, line in enumerate(above[:-1]):
        names, used = _renaming(_WORD.findall(line.strip()), words)
        if names and used == len(line.strip()) and above[i + 1].strip():
            yield Draft(_renamed(above[i + 1].strip(), names), len(above[-1].strip()), True, len(above) - i)


def _renaming(theirs: list[str], ours: list[str]) -> tuple[dict[str, str], int]:
    """(their name -> our name, characters of theirs used) where `theirs` begins like `ours` with at
    least one other name; ({}, 0) where it does not."""
    if len(theirs) < len(ours):
        return {}, 0
    names: dict[str, str] = {}
    for a, b in zip(theirs, ours, strict=False):
        if a == b:
            continue
        both_names = _NAME.fullmatch(a) and _NAME.fullmatch(b)
        if not both_names or a in _KEYWORDS or b in _KEYWORDS or names.get(a, b) != b:
            return {}, 0
        names[a] = b
    return names, sum(map(len, theirs[: len(ours)])) if names else 0


def _renamed(text: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda match: names.get(match[0], match[0]), text)
