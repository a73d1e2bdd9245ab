"""Messages that no client should send: each request among them is answered, and quickly. Knows no documents.

pygls does not answer a request whose parameters it cannot understand, and takes many seconds to complain
about deep nesting or about a long text in place of a list.
"""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.protocol import LanguageServerProtocol, default_converter

from . import transport

MAX_DEPTH = 64  # of a message's nesting


class CheckedProtocol(LanguageServerProtocol):
    """pygls's protocol, hardened against clients that may send anything."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Called for every object inside a message, innermost first. Does nothing: `handle_message` does the
        work, once for each message."""
        return data

    def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise JsonRpcInvalidRequest
        try:
            if transport.deeper(message, MAX_DEPTH):
                raise JsonRpcInvalidRequest
            structured: Any = super().structure_message(message)
            if "id" in message and not hasattr(structured, "id"):
                raise JsonRpcInvalidRequest  # a notification's method, sent as a request
        except JsonRpcException:
            if "method" in message and isinstance(message.get("id"), int | str):
                self._send_response(message["id"], None, JsonRpcInvalidParams().to_response_error())
            raise
        super().handle_message(structured)


def converter() -> Any:
    """pygls's converter, which stops at the first fault of a message instead of listing all of them."""
    plain = default_converter()
    plain.detailed_validation = False
    return plain
