"""One websocket and one language server of its own: what one says, the other hears, message by message.

The server is the one that editors start, as a child process. Looks into no message.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]  # holds the package
LONGEST = 16 * 1024 * 1024  # bytes of a message
LEAVE_S = 5.0  # for a server to end when its client has left
ENDED = 1011  # a websocket's code for a fault of the server's

COMMAND = (sys.executable, "-m", "lsp_server", "serve")


async def bridge(socket: ServerConnection, command: Sequence[str] = COMMAND) -> None:
    """Until either side ends; then the other does, too. Cancelling ends both."""
    server = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # its log: --log keeps it
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is for this process, which ends its children in turn
    )
    assert server.stdin
    assert server.stdout
    hears = asyncio.create_task(_relay_in(socket, server.stdin))
    says = asyncio.create_task(_relay_out(server.stdout, socket))
    try:
        await asyncio.wait({hears, says}, return_when=asyncio.FIRST_COMPLETED)
        if says.done():
            await socket.close(ENDED, "The language server has ended.")
    finally:
        hears.cancel()
        says.cancel()
        await asyncio.gather(hears, says, return_exceptions=True)
        await asyncio.shield(_end(server))


async def _relay_in(socket: ServerConnection, to: asyncio.StreamWriter) -> None:
    try:
        async for message in socket:
            to.write(framed(message.encode() if isinstance(message, str) else message))
            await to.drain()
    except (ConnectionClosed, OSError) as error:
        log.debug("the page or the server has left: %s", error)


async def _relay_out(out: asyncio.StreamReader, socket: ServerConnection) -> None:
    try:
        async for body in messages(out):
            await socket.send(body.decode("utf-8", "replace"))
    except (ConnectionClosed, OSError) as error:
        log.debug("the page has left: %s", error)


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


async def messages(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The bodies of a server's messages, until it ends, or says what is no message."""
    while True:
        length = None
        while line := (await stream.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
        if length is None or length > LONGEST:
            return
        try:
            yield await stream.readexactly(length)
        except asyncio.IncompleteReadError:
            return


async def _end(server: asyncio.subprocess.Process) -> None:
    """A server ends at the end of its input; one that does not is made to."""
    assert server.stdin
    server.stdin.close()
    try:
        async with asyncio.timeout(LEAVE_S):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
