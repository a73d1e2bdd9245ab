"""The outline of a text: its imports and the signatures of what it defines.

Made in the reader process from text that may hold secrets; an outline holds none. Knows no files.
"""

from __future__ import annotations

import re

import msgspec

from lsp_server.infilling.canvas import normalize
from lsp_server.text import symbols, syntax
from lsp_server.text.languages import by_id

from . import secret_filter

# Characters:
MAX_SIGNATURE = 240
MAX_NOTE = 100
MAX_IMPORTS = 2_000

MAX_DEFINITIONS = 400  # of one file

_STRING_PREFIX = re.compile(r"^[A-Za-z]{1,2}(?=[\"'])")
_MARKS = "\"'/*#;-! \t\n"  # around a string or a comment
_BREAK = re.compile(r"\s*\n\s*")


class Signature(msgspec.Struct, frozen=True, array_like=True, gc=False):
    name: str
    text: str  # the line that defines it, then the first line of its docstring or comment


class Outline(msgspec.Struct, frozen=True, tag="outline"):
    """Of one file or document, without secrets."""

    key: str  # whose it is, see `symbol_index`
    language: str  # canonical id
    signatures: tuple[Signature, ...] = ()
    imports: str = ""
    text: str | None = None  # the whole text, if it was asked for; lines with secrets are empty
    stamp: tuple[int, int] = (0, 0)  # a file's modification time (ns) and size (bytes); (0, 0): no file
    kept: bool = True  # the client is to keep the text; else it passes it on


def of(key: str, language: str, text: str, *, whole: bool, stamp: tuple[int, int] = (0, 0)) -> Outline:
    """The outline of a text. `whole`: the text is to be in it. Without a grammar it has no signatures and
    imports."""
    text = normalize(text)
    known = by_id(language)
    parsed = syntax.parse(text, known) if known else None
    signatures: dict[Signature, None] = {}
    if parsed and known:
        for each in symbols.definitions(parsed):
            if cleaned := secret_filter.clean(_signature(each, known.comment)):
                signatures[Signature(each.name, cleaned)] = None
            if len(signatures) == MAX_DEFINITIONS:
                break
    imports = secret_filter.clean(symbols.imports(parsed)[:MAX_IMPORTS]) if parsed else ""
    kept = secret_filter.clean(text) if whole else None
    return Outline(key, known.id if known else language, tuple(signatures), imports, kept, stamp=stamp)


def _signature(definition: symbols.Definition, comment: str) -> str:
    head = _BREAK.sub(" ", definition.head.strip()).rstrip("{ ")[:MAX_SIGNATURE]
    note = _STRING_PREFIX.sub("", definition.note.strip()).strip(_MARKS).partition("\n")[0][:MAX_NOTE]
    return f"{head}  {comment} {note}" if note else head
