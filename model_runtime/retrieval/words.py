"""Code as a sequence of words, for the n-gram model.

A word is a name, a number, a short string or a sign; a new line is a word of its own that says whether the
line is deeper than, as deep as, or less deep than the one above it. Whether a space stands before a word is
kept beside it, so that a word is recognised wherever it stands and still comes out spaced as its project
spaces it. Knows no grammar. Lines that are blank or only a comment are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Standing = Literal["line", "word", "blank", "dot", "bracket", "sign"]
Word = tuple[str, bool]  # and whether a space stands before it

DEEPER, LEVEL, SHALLOWER = "\n+", "\n=", "\n-"
NEWLINES = (DEEPER, LEVEL, SHALLOWER)
NAME, CONSTANT, TYPE, NUMBER, STRING = KINDS = ("<name>", "<CONSTANT>", "<Type>", "<number>", "<string>")
_WORD = re.compile(r""" ?(?:[^\W\d]\w*|\d[\w.]*|"[^"\n]{0,24}"|'[^'\n]{0,24}'|[^\w\s])|[ \t]+""")
_COMMENT = ("#", "//", "/*", "*", "--")
_LAST_WORD = re.compile(r"\w+$")
# Words of the grammar and common built-in names of the languages that are parsed: in contexts that need
# only be alike, they count as themselves, as signs do.
RESERVED = frozenset(
    """
    and as assert async await break class continue def del elif else except finally for from global if
    import in is lambda nonlocal not or pass raise return try while with yield None True False self cls
    super match case var let const function new this typeof instanceof void null undefined true false of
    export default extends implements interface type enum public private protected static readonly abstract
    switch do throw catch delete func package struct map chan go defer select range fallthrough nil error
    string int bool byte make append len fn impl trait pub mod use crate mut ref where move unsafe dyn Self
    Some Ok Err Box Vec Option Result String str usize u8 u16 u32 u64 i32 i64 final throws boolean char
    short long float double auto const_cast static_cast namespace using template typename virtual override
    noexcept operator sizeof typedef union extern inline unsigned signed size_t std goto include define
    ifdef ifndef endif
    """.split()  # noqa: SIM905 (a table to read)
)


def split(line: str) -> list[Word]:
    """The words of one line, without its indentation."""
    found = _WORD.findall(line.strip())
    return [(word := each.lstrip(" ") or each, len(word) < len(each)) for each in found]


@lru_cache(maxsize=1 << 11)
def of_line(line: str) -> tuple[Word, ...]:
    """As `split`, for lines that are asked for again and again."""
    return tuple(split(line))


def is_code(line: str) -> bool:
    bare = line.lstrip()
    return bool(bare) and not bare.startswith(_COMMENT)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def newline(above: int, here: int) -> str:
    """The word for a new line, by the indentation of the line above it and its own."""
    return DEEPER if here > above else LEVEL if here == above else SHALLOWER


def with_newline(line: str, above: int) -> tuple[Word, ...]:
    """The words of a line behind the word for its beginning, below a line that is indented so far."""
    return (newline(above, indent(line)), False), *of_line(line)


def kind(word: str) -> str:
    """What a word is in a context that need only be alike: one of KINDS, or the word itself."""
    first = word[0]
    if first.isalpha() or first == "_":
        if word in RESERVED:
            return word
        if first.isupper():
            return CONSTANT if len(word) > 1 and word.isupper() else TYPE
        return NAME
    if first.isdigit():
        return NUMBER
    return STRING if first in "\"'" and len(word) > 1 else word


def unfinished(head: str) -> str:
    """The name that is being written at the end of a line's head, or "" where none is."""
    match = _LAST_WORD.search(head)
    return match[0] if match else ""


def standing(head: str) -> Standing:
    """What stands before a hole at the end of a line's head."""
    if not head.strip():
        return "line"
    last = head[-1]
    if last.isalnum() or last == "_":
        return "word"
    return "blank" if last.isspace() else "dot" if last == "." else "bracket" if last in "([{" else "sign"


def spelled(words: Sequence[Word]) -> str:
    return "".join(f" {word}" if space else word for word, space in words)
