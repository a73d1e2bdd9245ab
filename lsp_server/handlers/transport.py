"""Standard input as the server reads it: whole LSP messages and nothing else, whatever the client sends.

pygls's own loop ends the process on a length that is no number or too large, keeps any amount of a line that
never ends, and never recovers from a wrong length. Here everything that is no message is skipped, up to the
next header. Knows no methods and no parameters.
"""

from __future__ import annotations

import logging
import re
from typing import BinaryIO

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024 * 1024  # bytes; a longer message is skipped
MAX_LINE = 8192  # bytes; a longer header line is read in pieces
# May stand anywhere in a line: after a body that is longer than announced, the next header follows at once.
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,18})[ \t]*\r?\n$", re.IGNORECASE)


def deeper(value: object, limit: int) -> bool:
    """Whether a value from JSON is nested more than `limit` levels deep."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(deeper(each, limit - 1) for each in inner)


class Frames:
    """A file for pygls to read messages from: two header lines, then the body. For one reader."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._body: bytes | None = None  # announced, not yet read

    def readline(self) -> bytes:
        if self._body is not None:
            return b"\r\n"
        self._body = self._next()
        return b"" if self._body is None else b"Content-Length: %d\r\n" % len(self._body)

    def read(self, _length: int) -> bytes:
        body, self._body = self._body, None
        return body or b""

    def _next(self) -> bytes | None:
        """The next message's body; None at the end."""
        length = 0
        skipped = 0
        while line := self._stream.readline(MAX_LINE):
            if found := _LENGTH.search(line):
                skipped += found.start()
                length = int(found[1])
                if length > MAX_BODY:
                    log.error("a message of %d bytes is over the limit of %d", length, MAX_BODY)
                    length = 0
            elif line in (b"\r\n", b"\n"):
                if length:
                    if skipped:
                        log.error("left out %d bytes that are no message", skipped)
                    body = self._stream.read(length)
                    return body if len(body) == length else None
            elif not line.lower().startswith(b"content-type:"):
                skipped += len(line)
        return None
