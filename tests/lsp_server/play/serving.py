"""The service with a server that echoes, and pages that join it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from lsp_server.play import service
from lsp_server.play.site import Site

TIMEOUT = 30


# A server that says what it hears, backwards; after `end` it ends, after `garbage` it prints some.
ECHO = (
    sys.executable,
    "-c",
    """
import sys
while True:
    head = sys.stdin.buffer.readline()
    if not head:
        break
    sys.stdin.buffer.readline()
    body = sys.stdin.buffer.read(int(head.split(b":")[1]))
    if body == b"end":
        break
    if body == b"garbage":
        print("Traceback: oh no", flush=True)
        continue
    answer = body.decode()[::-1].encode()
    sys.stdout.buffer.write(b"Content-Type: x\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(answer), answer))
    sys.stdout.flush()
""".replace("\\\\", "\\"),
)


@asynccontextmanager
async def serving(command: tuple[str, ...] = ECHO) -> AsyncIterator[Site]:
    server, site = await service.listen(0, {}, command)
    async with server:
        yield site


def join(site: Site, **changes: Any) -> Any:
    address = site.address.replace("http", "ws") + "lsp"
    return connect(
        address, **{"origin": site.address.partition(f"/{site.token}")[0], "proxy": None} | changes
    )


async def hear(socket: ClientConnection) -> str:
    return str(await asyncio.wait_for(socket.recv(), TIMEOUT))


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(100 * TIMEOUT):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
