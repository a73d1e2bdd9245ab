"""LSP positions <-> code-point offsets, in the three position encodings.

A position is (line, character), both 0-based; `character` counts units of the negotiated encoding.
A line ends at \\n, \\r\\n or \\r and at nothing else: `str.splitlines` also splits at form feeds and
U+2028, which shifts every line below. Plain integers only; handlers turn them into LSP types.
"""

from __future__ import annotations

import re
from typing import Literal

from lsp_server.text.document import Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\n|\r")
_BLOCK = 4_096
_SURROGATE = re.compile("[\ud800-\udfff]")
_CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2)}  # codec, bytes per unit


def line_span(text: str, line: int) -> Span | None:
    """The line without its line end; None if the text has no such line."""
    if line < 0:
        return None
    start = 0
    if has_lone_cr(text):
        for _, end in zip(range(line), _LINE_END.finditer(text), strict=False):
            start, line = end.end(), line - 1
        if line:
            return None
    while line:
        # Counting a block is far cheaper than visiting its lines.
        if (count := text.count("\n", start, start + _BLOCK)) < line:
            start, line = start + _BLOCK, line - count
            if start >= len(text):
                return None
        else:
            block = text[start : start + _BLOCK]
            start, line = start + len(block) - len(block.split("\n", line)[-1]), 0
    end = _LINE_END.search(text, start)
    return Span(start, end.start() if end else len(text))


def to_offset(text: str, line: int, character: int, encoding: Encoding) -> int | None:
    """Offset of a position; None if the text has no such line. A character past the line's end means its
    end, one inside a code point means its start."""
    span = line_span(text, line)
    if span is None:
        return None
    return span.start + column(text[span.start : span.end], character, encoding)


def column(line: str, character: int, encoding: Encoding) -> int:
    """How many code points stand before a character of a line. The line is without its line end."""
    if encoding == "utf-32" or line.isascii():
        return max(0, min(character, len(line)))
    codec, width = _CODEC[encoding]
    units = _SURROGATE.sub("\ufffd", line).encode(codec)[: max(0, character) * width]
    return len(units.decode(codec, "ignore"))


def to_position(text: str, offset: int, encoding: Encoding) -> tuple[int, int]:
    """(line, character) of an offset; between \\r and \\n, that of the end of the line they end."""
    offset = min(offset, len(text))
    if 0 < offset < len(text) and text[offset - 1] == "\r" and text[offset] == "\n":
        offset -= 1
    line, start = text.count("\n", 0, offset), text.rfind("\n", 0, offset) + 1
    if has_lone_cr(text):
        ends = [end.end() for end in _LINE_END.finditer(text, 0, offset)]
        line, start = len(ends), ends[-1] if ends else 0
    return line, _units(text[start:offset], encoding)


def _units(text: str, encoding: Encoding) -> int:
    if encoding == "utf-32" or text.isascii():
        return len(text)
    codec, width = _CODEC[encoding]
    return len(text.encode(codec, "surrogatepass")) // width


def line_ends(text: str) -> int:
    """How many line ends a text has."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def has_lone_cr(text: str) -> bool:
    return "\r" in text and text.count("\r") != text.count("\r\n")
