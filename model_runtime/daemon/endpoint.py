"""Where the worker listens: a private socket, or loopback with a token where there is none.

On loopback (Windows) the endpoint is a file `PORT TOKEN` that only this user can read, and the client's Hello
must carry the token. Does not know what is said on a connection, except that a Hello has a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = sys.platform == "win32"  # asyncio has no AF_UNIX there

OnClient = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listener:
    server: asyncio.Server
    path: Path
    token: str  # empty on a private socket
    inode: int  # of `path`, to know it from a successor's

    def admits(self, token: str) -> bool:
        """Whether a Hello carries the right token; compared in constant time."""
        return hmac.compare_digest(token.encode(errors="replace"), self.token.encode())

    def close(self) -> None:
        """Accept no more, and remove the endpoint unless it is somebody else's by now."""
        self.server.close()
        with contextlib.suppress(OSError):
            if _inode(self.path) == self.inode:
                self.path.unlink()


async def listen(path: Path, on_client: OnClient, *, loopback: bool = LOOPBACK) -> Listener:
    """Bind `path`, replacing what a dead worker left there. The caller holds the worker's lock.

    Raises OSError."""
    token = ""
    if loopback:
        token = secrets.token_hex(32)
        server = await asyncio.start_server(on_client, "127.0.0.1", 0)
        _write_private(path, f"{server.sockets[0].getsockname()[1]} {token}\n")
    else:
        server = await asyncio.start_unix_server(on_client, sock=_bind(path))
    return Listener(server, path, token, _inode(path))


def same_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs as this user, where the kernel tells (Linux); else True."""
    peer: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED") or peer.family != socket.AF_UNIX:
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return uid == os.geteuid()


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _bind(path: Path) -> socket.socket:
    """A socket that only this user may connect to, from the moment it exists."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(os.fspath(path))
    finally:
        os.umask(before)
    return bound


def _write_private(path: Path, text: str) -> None:
    """Appears whole or not at all, readable by this user only."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    part.replace(path)
