"""The sending side of a client's connection. It never waits: a client that does not read harms only itself.

Knows messages by kind and size only.
"""

from __future__ import annotations

import asyncio
import logging

from model_runtime import protocol
from model_runtime.diffusion.faults import one_line
from model_runtime.protocol import Draft, ProtocolError, Refused

log = logging.getLogger(__name__)

DRAFT_BACKLOG = 256 * 1024  # bytes that a client has yet to read; beyond this it gets no drafts
MAX_BACKLOG = 4 * 1024 * 1024  # a client this far behind is disconnected


class Outbox:
    def __init__(self, name: int, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.writer = writer

    def send(self, message: protocol.WorkerMessage) -> None:
        """Leaves drafts out for a client that reads slowly, and drops one that does not read at all."""
        if self.writer.is_closing():
            return
        backlog = self.writer.transport.get_write_buffer_size()
        if backlog > MAX_BACKLOG:
            log.warning("client %d does not read: dropped", self.name)
            self.writer.transport.abort()
        elif not (isinstance(message, Draft) and backlog > DRAFT_BACKLOG):
            self.writer.write(_frame(message))


def _frame(message: protocol.WorkerMessage) -> bytes:
    """An answer that cannot be packed becomes a refusal; a draft that cannot is left out."""
    try:
        return protocol.pack(message)
    except (ProtocolError, UnicodeError) as error:
        refused = Refused(
            getattr(message, "id", 0), "failed", f"the answer cannot be sent: {one_line(error)}"
        )
        return b"" if isinstance(message, Draft) else protocol.pack(refused)
