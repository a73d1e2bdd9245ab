"""Which part of a text is parsed: the definitions around a place, enough to judge what is put there.

A parse must cost the same in a file of any size. Parsing whole files does not, not even incrementally: on
each change tree-sitter visits every top-level statement (30 ms in 100,000 lines), its trees take twenty
times the memory of the text, and it holds the GIL. So a region is cut out, at lines where a parser can start
afresh. Where there are none, as in the middle of a long table, a few lines are taken, and the brackets that
may be open around them are tried. Looks at text only, never at a parse.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from itertools import accumulate, pairwise

from lsp_server.text.document import Span
from lsp_server.text.languages import Language
from lsp_server.text.lines import indentation, line_at, unmatched

# How many characters before and after the cursor's line are parsed.
NEAR = 2_000  # at least
FAR = 12_000  # at most; to the end of the file if it has no more
FEW = 1_000  # where no definition starts between near and far

# Rows of a table may parse as statements too, but statements not as rows.
_BRACKETS = (("[", "]"), ("{", "}"), ("f(", ")"), ("", ""))


@dataclass(frozen=True, slots=True)
class Region:
    """A span of a text around `line`, to be parsed between `opening` and `closing`."""

    span: Span
    line: Span
    opening: str = ""
    closing: str = ""

    def of(self, text: str) -> str:
        return self.opening + text[self.span.start : self.span.end] + self.closing

    def above(self, text: str) -> str:
        return self.opening + text[self.span.start : self.line.start]


def around(text: str, offset: int, language: Language) -> tuple[Region, ...]:
    """What to parse around an offset: one region, or several guesses. The right guess is the first that
    parses without errors, or else the one with the fewest. As its line may be unfinished, each is tried
    with and without it."""
    line = line_at(text, offset)
    line = Span(max(line.start, offset - NEAR), min(line.end, offset + NEAR))
    start = _start(text, line.start, language)
    end = None if start is None else _end(text, start, line.end, language)
    if start is not None and end is not None:
        span = Span(start, end)
        return tuple(Region(span, line, *each) for each in _wraps(text, span, line, language))
    start, end = max(0, line.start - FEW), min(len(text), line.end + FEW)
    if start:
        start = min(text.find("\n", start) + 1 or line.start, line.start)
    if end < len(text):
        end = max(text.rfind("\n", 0, end) + 1, line.end)
    return tuple(Region(Span(start, end), line, *brackets) for brackets in _BRACKETS)


def _wraps(text: str, span: Span, line: Span, language: Language) -> list[tuple[str, str]]:
    """(opening, closing) that a span cut out of a class may need to parse, likeliest first."""
    opening = language.wrap[0] if span.start else ""
    closing = language.wrap[1] if span.end < len(text) else ""
    if not opening and not closing:
        return [("", "")]
    inside = int(text[span.start : span.start + 1] in (" ", "\t"))
    if "{" not in language.wrap[0]:
        below = text[span.end : span.end + 1] in (" ", "\t")
        return [(opening * inside, closing * count) for count in ((1, 2, 0) if below else (0, 1))]
    above, below = text[span.start : line.start], text[line.end : span.end]
    counts = []
    for counted in (text[line.start : line.end], ""):  # the line may not be finished
        closers, openers = unmatched(above + counted + below)
        above_it = closers.count("}")
        outside = 0 if above_it else inside  # closed below the region
        counts.append((above_it + outside, openers.count("{") + outside))
    return [(opening * before, closing * after) for before, after in dict.fromkeys(counts)]


def _start(text: str, line: int, language: Language) -> int | None:
    """Of the definitions that start between NEAR and FAR above, the last of the least indented."""
    if line <= FAR:
        return 0
    found = list(re.compile(language.definition).finditer(text, line - FAR, line - NEAR))
    if not found:
        return None
    # Some may be examples in strings. Which ones is not known, but they are the minority.
    starts = [each.start(1) for each in found]
    flips = (_in_string(text[above:below], language) for above, below in pairwise(starts))
    apart = list(accumulate(flips, operator.ne, initial=False))
    usual = sorted(apart)[(len(apart) - 1) // 2]
    likely = [each for each, state in zip(found, apart, strict=True) if state == usual]
    return min(reversed(likely), key=_indentation).start(1)


def _end(text: str, start: int, line: int, language: Language) -> int | None:
    """The first definition that starts between NEAR and FAR below, preferably outside strings."""
    if len(text) - line <= FAR:
        return len(text)
    found = list(re.compile(language.definition).finditer(text, line + NEAR, line + FAR))
    if language.wrap[0]:  # one that is indented further is inside a body
        outermost = indentation(text[start : start + 200])
        found = [each for each in found if _indentation(each) <= len(outermost)] or found
    ends = [each.start(1) for each in found]
    outside = (end for end in ends if not _in_string(text[start:end], language))
    return next(outside, ends[0] if ends else None)


def _in_string(before: str, language: Language) -> bool:
    return sum(map(before.count, language.long_quotes)) % 2 == 1


def _indentation(definition: re.Match[str]) -> int:
    return len(definition[1]) - len(definition[1].lstrip(" \t"))
