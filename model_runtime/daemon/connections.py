"""The clients of the worker: greeted, heard one message at a time, and sent away at the end.

Belongs to the event loop's thread. Knows the hello and the framing; what other messages ask for is the
business of `dispatch`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable, Hashable

from model_runtime import protocol
from model_runtime.daemon.outbox import Outbox
from model_runtime.diffusion.faults import one_line
from model_runtime.protocol import Hello, ProtocolError, Stop

from . import endpoint

log = logging.getLogger(__name__)

HELLO_S = 10.0  # a connection that has not said hello by then is closed
FLUSH_S = 1.0  # how long last answers may take to leave when the worker stops


class Connections:
    def __init__(
        self,
        *,
        admits: Callable[[str], bool],
        dispatch: Callable[[Outbox, protocol.ClientMessage], None],
        gone: Callable[[Hashable], None],
        make_room: Callable[[], None],
    ) -> None:
        """`admits` judges a hello's token; `dispatch` gets what a greeted client says and may raise
        ProtocolError, which drops the client; `gone` gets the name of each client that has left;
        `make_room` is called when a client of a newer version asks for the worker's place."""
        self._admits = admits
        self._dispatch = dispatch
        self._gone = gone
        self._make_room = make_room
        self._clients: dict[Hashable, Outbox] = {}  # that have been greeted
        self._tasks: dict[asyncio.Task[None], Outbox] = {}  # of all connections
        self._names = itertools.count(1)

    def __len__(self) -> int:
        """Clients that have been greeted."""
        return len(self._clients)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        client = Outbox(next(self._names), writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = client
        try:
            await self._greet(client, reader)
            self._clients[client.name] = client
            while (message := await _read(reader)) is not None:
                self._dispatch(client, message)
                await asyncio.sleep(0)  # a client that talks without pause must not shut out the others
        except (ProtocolError, TimeoutError) as error:
            log.warning("client %d dropped: %s", client.name, one_line(error))
        except (EOFError, OSError):
            pass  # gone
        finally:
            self._clients.pop(client.name, None)
            self._gone(client.name)
            self._tasks.pop(task)
            writer.close()

    async def _greet(self, client: Outbox, reader: asyncio.StreamReader) -> None:
        """Exchange hellos. A peer of another user learns nothing; one of another version learns ours."""
        if not endpoint.same_user(client.writer):
            raise ProtocolError("another user")
        async with asyncio.timeout(HELLO_S):
            hello = await _read(reader)
            if hello is None:
                raise EOFError
            if not isinstance(hello, Hello) or not self._admits(hello.token):
                raise ProtocolError("no hello, or without the token")
            client.send(Hello(pid=os.getpid()))
            if hello.version > protocol.VERSION and isinstance(await _read(reader), Stop):
                self._make_room()
        if hello.version != protocol.VERSION:
            raise ProtocolError(f"speaks version {hello.version}")

    def send(self, client: Hashable, message: protocol.WorkerMessage) -> None:
        """To a client by its name; one that has left gets nothing."""
        if connected := self._clients.get(client):
            connected.send(message)

    async def hang_up(self) -> None:
        """Let last answers leave, but do not wait for a client that does not read them."""
        await asyncio.sleep(0)  # refusals that were given just now are on their way to `send`
        leaving = dict(self._tasks)
        for end in (lambda writer: writer.close(), lambda writer: writer.transport.abort()):
            for client in leaving.values():
                end(client.writer)
            if leaving:
                await asyncio.wait(leaving, timeout=FLUSH_S)


async def _read(reader: asyncio.StreamReader) -> protocol.ClientMessage | None:
    return await protocol.read_message(reader, protocol.client_decoder)
