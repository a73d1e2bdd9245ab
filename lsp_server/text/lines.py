"""Lines of text without a grammar: where they end, how they are indented, which brackets they leave open."""

from __future__ import annotations

import re
from collections import Counter

from lsp_server.text.document import Span

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}
CLOSERS = ")]}'\"`"  # brackets and quotes

_BRACKET = re.compile(r"[()\[\]{}]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_INDENTED = re.compile(r"(?:^|[\r\n])([ \t]+)(?=[^\s])")


def line_at(text: str, offset: int) -> Span:
    """The line around an offset, without its line end."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    ends = [end for end in (text.find("\n", offset), text.find("\r", offset)) if end >= 0]
    return Span(start, min(ends, default=len(text)))


def line_end(text: str) -> str:
    """The line end a new line of the text gets: that of its first line."""
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_unit(text: str, default: str = "") -> str:
    """One level of indentation: a tab where tabs prevail, else the most frequent number of blanks by which a
    line is indented more than the one before. Where there is none, `default`, or four blanks."""
    widths: Counter[int] = Counter()
    tabs = last = 0
    for match in _INDENTED.finditer(text):
        if match[1][0] == "\t":
            tabs += 1
            continue
        width = len(match[1].expandtabs(4))
        if width > last and width - last in (2, 3, 4, 8):
            widths[width - last] += 1
        last = width
    if tabs > widths.total():
        return "\t"
    if widths:
        return " " * widths.most_common(1)[0][0]
    return default or "    "


def open_brackets(text: str) -> list[str]:
    """Brackets that the text leaves open, outermost first. Those in strings count too: this is a guide, and
    the parser has the last word."""
    open_ones: list[str] = []
    for char in text:
        if char in CLOSER_OF:
            open_ones.append(char)
        elif open_ones and OPENER_OF.get(char) == open_ones[-1]:
            open_ones.pop()
    return open_ones


def unmatched(text: str) -> tuple[str, str]:
    """The closers without an opener, and the openers left open, each in order. In a longer text both can
    stand for this part of it, unless brackets of two kinds cross."""
    closers, openers = [], []
    for bracket in _BRACKET.findall(text):
        if bracket in CLOSER_OF:
            openers.append(bracket)
        elif openers and openers[-1] == OPENER_OF[bracket]:
            openers.pop()
        else:
            closers.append(bracket)
    return "".join(closers), "".join(openers)


def is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def in_quotes(head: str, quotes: str) -> bool:
    """Whether a string in one of the quotes is open at the end of `head`, the beginning of a line."""
    opened = ""
    escaped = False
    for char in head:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif opened:
            opened = "" if char == opened else opened
        elif char in quotes:
            opened = char
    return bool(opened)
