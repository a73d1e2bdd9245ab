"""Joins a websocket to a language server of its own: each message of one goes to the other, unread.

The server is the one that editors start, as a child process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from lsp_server import child_process

log = logging.getLogger(__name__)

LONGEST = 16 * 1024 * 1024  # bytes of a message that is passed on
LEAVE_S = 5.0  # for a server to end after its input has; then it is killed
ENDED = 1011  # the close code of the websocket when the language server has ended: an internal error

COMMAND = tuple(child_process.command("lsp_server", "serve"))


async def bridge(socket: ServerConnection, command: Sequence[str] = COMMAND) -> None:
    """Returns when either side has ended, after ending the other. Cancelling ends both."""
    server = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # its log, which --log keeps
        cwd=child_process.ROOT,
        env=child_process.environment(),
        start_new_session=True,  # so that Ctrl-C reaches this process only, which then ends its servers
    )
    assert server.stdin
    assert server.stdout
    to_server = asyncio.create_task(_relay_in(socket, server.stdin))
    to_page = asyncio.create_task(_relay_out(server.stdout, socket))
    try:
        await asyncio.wait({to_server, to_page}, return_when=asyncio.FIRST_COMPLETED)
        if to_page.done():
            await socket.close(ENDED, "The language server has ended.")
    finally:
        to_server.cancel()
        to_page.cancel()
        await asyncio.gather(to_server, to_page, return_exceptions=True)
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
    """A message as LSP sends it over a stream: a header, then the body."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


async def messages(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The bodies of a server's messages, until the stream ends or a header has no length in it, or one over
    LONGEST."""
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
    """Close the server's input, at the end of which it ends; kill it if it does not."""
    assert server.stdin
    server.stdin.close()
    try:
        async with asyncio.timeout(LEAVE_S):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
