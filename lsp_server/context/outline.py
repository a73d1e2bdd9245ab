"""What a file offers to the others: its imports and the signatures of what it defines.

Made in the reader process, of text that may hold secrets; what comes out has none. Knows no files.
"""

from __future__ import annotations

import re

import msgspec

from lsp_server.infilling.canvas import normalize
from lsp_server.text import syntax
from lsp_server.text.languages import by_id

from . import secret_filter

MAX_SIGNATURE = 240  # characters
MAX_NOTE = 100
MAX_IMPORTS = 2_000
MAX_DEFINITIONS = 400  # of one file

_STRING_PREFIX = re.compile(r"^[A-Za-z]{1,2}(?=[\"'])")
_MARKS = "\"'/*#;-! \t\n"  # of strings and comments
_BREAK = re.compile(r"\s*\n\s*")


class Signature(msgspec.Struct, frozen=True, array_like=True, gc=False):
    name: str
    text: str  # the line that defines it, and the first line of what is said about it


class Outline(msgspec.Struct, frozen=True, tag="outline"):
    """One file's or document's, without secrets; `key` says whose."""

    key: str
    language: str  # canonical id
    signatures: tuple[Signature, ...] = ()
    imports: str = ""
    text: str | None = None  # all of it, line by line, if it was asked for
    stamp: tuple[int, int] = (0, 0)  # of the file it was read from: time and size


def of(key: str, language: str, text: str, *, whole: bool, stamp: tuple[int, int] = (0, 0)) -> Outline:
    text = normalize(text)
    known = by_id(language)
    parsed = syntax.parse(text, known) if known else None
    signatures: dict[Signature, None] = {}
    if parsed and known:
        for each in parsed.definitions():
            if said := secret_filter.clean(_signature(each, known.comment)):
                signatures[Signature(each.name, said)] = None
            if len(signatures) == MAX_DEFINITIONS:
                break
    imports = secret_filter.clean(parsed.imports()[:MAX_IMPORTS]) if parsed else ""
    cleaned = secret_filter.clean(text) if whole else None
    return Outline(key, known.id if known else language, tuple(signatures), imports, cleaned, stamp)


def _signature(definition: syntax.Definition, comment: str) -> str:
    head = _BREAK.sub(" ", definition.head.strip()).rstrip("{ ")[:MAX_SIGNATURE]
    note = _STRING_PREFIX.sub("", definition.note.strip()).strip(_MARKS).partition("\n")[0][:MAX_NOTE]
    return f"{head}  {comment} {note}" if note else head
