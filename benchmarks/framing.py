"""LSP messages as bytes: framing, and taking a stream apart again. Knows nothing of what they mean."""

from __future__ import annotations

import json
from typing import Any

Json = Any


def framed(message: dict[str, Json]) -> bytes:
    """A JSON-RPC message, of which `jsonrpc` need not be given, behind its header."""
    return framed_body(json.dumps({"jsonrpc": "2.0", **message}).encode())


def framed_body(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class Unframer:
    """Takes a stream of bytes apart; what is left of an unfinished message waits for the rest."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Json]:
        """The messages that are complete with `data`, in order."""
        self._rest += data
        found = []
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            length = int(self._rest[:end].lower().partition(b"content-length:")[2].split()[0])
            body = self._rest[end + 4 : end + 4 + length]
            if len(body) < length:
                break
            self._rest = self._rest[end + 4 + length :]
            found.append(json.loads(body))
        return found
