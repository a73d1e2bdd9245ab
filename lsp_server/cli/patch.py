"""Edits of a file on disk: shown as a unified diff, or written. Knows no model."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lsp_server.text.document import Edit

BOM = b"\xef\xbb\xbf"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class FileChanged(Exception):
    """The file has changed since it was read."""


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made. They must not overlap."""
    for edit in sorted(edits, key=lambda each: each.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def unified(name: str, old: str, new: str) -> str:
    """The difference as `patch -p1` and `git apply` read it; empty if there is none."""
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), f"a/{name}", f"b/{name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def write(file: Path, old: bytes, new: str) -> None:
    """Replace the file's text in one step, keeping its mode and byte order mark. A link stays a link.

    `old`: the bytes that were read. Raises FileChanged if the file holds others by now, and OSError.
    """
    target = file.resolve()
    if target.read_bytes() != old:
        raise FileChanged(f"{file} has changed meanwhile; nothing was written")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as made:
            made.write((BOM if old.startswith(BOM) else b"") + new.encode("utf-8"))
            made.flush()
            os.fsync(made.fileno())
        os.chmod(name, target.stat().st_mode & 0o7777)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
