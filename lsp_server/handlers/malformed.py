"""Messages that no client should send: each is answered, in time. Knows no documents.

pygls leaves a request whose parameters it cannot understand without an answer, and takes many seconds to
complain about deep nesting or about a long text in place of a list.
"""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.protocol import LanguageServerProtocol, default_converter

from . import transport

MAX_DEPTH = 64  # of a message's nesting


class CheckedProtocol(LanguageServerProtocol):
    """pygls's protocol for clients that may send anything."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Is called for every object inside a message, innermost first; only the message itself is one."""
        return data

    def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise JsonRpcInvalidRequest
        try:
            if transport.deeper(message, MAX_DEPTH):
                raise JsonRpcInvalidRequest
            structured: Any = super().structure_message(message)
            if "id" in message and not hasattr(structured, "id"):
                raise JsonRpcInvalidRequest  # the method is a notification's
        except JsonRpcException:
            if "method" in message and isinstance(message.get("id"), int | str):
                self._send_response(message["id"], None, JsonRpcInvalidParams().to_response_error())
            raise
        super().handle_message(structured)


def converter() -> Any:
    """pygls's, without its list of all that is wrong with a message."""
    plain = default_converter()
    plain.detailed_validation = False
    return plain
