"""An edit of some lines, taken apart: which line became which, and which words of it were replaced by what.

Knows lines and words only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz.distance import Levenshtein

from lsp_server.next_edit.history import Edited

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE = 0.4  # least likeness of two lines of which one became the other


@dataclass(frozen=True)
class LineChange:
    """A line that became another."""

    uri: str
    line: int  # in the document now; negative if it is not there any more
    old: str
    new: str

    @cached_property
    def pieces(self) -> tuple[tuple[str, str, int], ...]:
        """(old text, new text, column in the new line) of each place that differs, word by word. Places with
        nothing but one blank between them are one."""
        before, after = tokens(self.old), tokens(self.new)
        ids: dict[str, int] = {}
        codes = [[ids.setdefault(each, len(ids)) for each in side] for side in (before, after)]
        found: list[list[int]] = []
        for code in Levenshtein.opcodes(*codes):
            if code.tag == "equal":
                continue
            between = before[found[-1][1] : code.src_start] if found else ["", ""]
            if found and (not between or (len(between) == 1 and between[0].isspace())):
                found[-1][1], found[-1][3] = code.src_end, code.dest_end
            else:
                found.append([code.src_start, code.src_end, code.dest_start, code.dest_end])
        return tuple(
            ("".join(before[a:b]), "".join(after[c:d]), sum(map(len, after[:c]))) for a, b, c, d in found
        )


def tokens(text: str) -> list[str]:
    """Words, blanks and single marks."""
    return _TOKEN.findall(text)


def line_changes(edit: Edited) -> Iterator[LineChange]:
    """The lines of an edit that became others, in order. Lines that came or went are left out."""
    before, after = edit.before, edit.after
    for new_at, old_at in _pairs(before, after):
        if before[old_at] != after[new_at]:
            line = edit.line + new_at if edit.line >= 0 else edit.line
            yield LineChange(edit.uri, line, before[old_at], after[new_at])


def _pairs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(new, old) numbers of lines that belong together: one by one where there are as many, else those that
    are most alike, in order."""
    if len(before) == len(after):
        yield from zip(range(len(after)), range(len(before)), strict=True)
        return
    at = 0
    for new_at, new in enumerate(after):
        scored = [
            (Levenshtein.normalized_similarity(tokens(old.strip()), tokens(new.strip())), -old_at)
            for old_at, old in enumerate(before[at:], at)
        ]
        best, place = max(scored, default=(0.0, 0))
        if best > _ALIKE:
            at = 1 - place
            yield new_at, -place
