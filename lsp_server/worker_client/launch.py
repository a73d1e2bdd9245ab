"""Finding the worker daemon, starting it, and ending one that hangs.

The first client starts the daemon; a lock file settles races between editors. The daemon outlives the process
that started it. Only `connect` is asynchronous: run the other functions in a thread. Knows no requests and no
answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import filelock

from lsp_server import child_process
from model_runtime import protocol

START_S = 30.0  # from spawning the daemon to its first accepted connection
STOP_S = 15.0  # from telling it to stop to the end of its process
POLL_S = 0.02  # between two tries to connect to a daemon that starts
HELLO_S = 10.0  # for it to answer a hello; importing torch may hold it up

# Windows' flags for a new session; 0 elsewhere.
_DETACHED = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class LaunchError(Exception):
    """There is no usable worker; the message is one line for a person."""


class Hung(LaunchError):
    """A worker is there, but it does not answer; `start` replaces it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A connection on which the hellos have been exchanged."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pid: int  # of the worker


async def connect(endpoint: Path, *, replace: bool = False) -> Link | None:
    """A connection, or None where nobody listens. With `replace` a worker of an older version is asked to
    stop; once it has, the result is None too. Raises LaunchError, and Hung where a worker does not answer."""
    try:
        reader, writer, token = await _open(endpoint)
    except (OSError, ValueError):
        return None
    try:
        writer.write(protocol.pack(protocol.Hello(protocol.VERSION, token)))
        async with asyncio.timeout(HELLO_S):
            hello = await protocol.read_message(reader, protocol.worker_decoder)
        if not isinstance(hello, protocol.Hello):
            hello = None  # it hung up, as it is stopping
        elif hello.version == protocol.VERSION:
            return Link(reader, writer, hello.pid)
        elif replace and hello.version < protocol.VERSION:
            writer.write(protocol.pack(protocol.Stop()))
            await writer.drain()
            if await asyncio.to_thread(wait_until_gone, endpoint):
                hello = None
    except TimeoutError:
        writer.transport.abort()
        raise Hung("the worker accepts connections but does not answer") from None
    except (OSError, protocol.ProtocolError):
        hello = None
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    writer.transport.abort()
    if hello is None:
        return None
    newer = hello.version > protocol.VERSION
    remedy = "restart the editor" if newer else "stop it with `infill-ls worker stop`"
    raise LaunchError(f"the running worker speaks version {hello.version}, not {protocol.VERSION}; {remedy}")


def start(endpoint: Path, command: list[str], stderr: Path) -> None:
    """Make sure that a daemon answers at `endpoint`: start one unless one does, after killing one that hangs.
    Its standard error goes to the file `stderr`. Raises LaunchError."""
    try:
        with filelock.FileLock(endpoint.with_suffix(".start"), timeout=START_S, thread_local=False):
            found = _probe(endpoint)
            if found == "hangs":
                end(endpoint)
            if found != "answers":
                _wait_for(_spawn(command, stderr), endpoint, stderr)
    except filelock.Timeout:
        raise LaunchError("another process has been starting the worker for too long") from None
    except OSError as error:
        raise LaunchError(f"cannot start the worker: {error}") from None


def end(endpoint: Path, pid: int = 0) -> None:
    """Kill whatever serves `endpoint`, or only if it is the process `pid`; returns when it is gone."""
    import psutil  # only here: it takes time to load

    flag, found = f"--endpoint={endpoint}", []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # ended meanwhile, or not ours
            if pid in (0, process.pid) and flag in process.cmdline():
                process.kill()
                found.append(process)
    psutil.wait_procs(found, timeout=STOP_S)


def wait_until_gone(endpoint: Path) -> bool:
    """Whether the daemon ends in time. It holds its lock until its very end."""
    try:
        with filelock.FileLock(endpoint.with_suffix(".lock"), timeout=STOP_S, thread_local=False):
            return True
    except (filelock.Timeout, OSError):
        return False


async def _open(endpoint: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    if _is_socket(endpoint):
        return *await asyncio.open_unix_connection(endpoint), ""
    port, token = _address(endpoint)
    return *await asyncio.open_connection("127.0.0.1", port), token


def _probe(endpoint: Path) -> Literal["answers", "hangs", "nobody"]:
    """A daemon that accepts a connection must answer or hang up; one that does neither hangs."""
    with contextlib.suppress(OSError, ValueError), _dial(endpoint) as (dialed, token):
        try:
            dialed.sendall(protocol.pack(protocol.Hello(token=token)))
            return "answers" if dialed.recv(1) else "nobody"
        except TimeoutError:
            return "hangs"
    return "nobody"


def _accepts(endpoint: Path) -> bool:
    with contextlib.suppress(OSError, ValueError), _dial(endpoint):
        return True
    return False


@contextlib.contextmanager
def _dial(endpoint: Path) -> Iterator[tuple[socket.socket, str]]:
    """A connection without hellos, and the token that the hello must carry. Raises OSError, ValueError."""
    if _is_socket(endpoint):
        dialed, address, token = socket.socket(socket.AF_UNIX), os.fspath(endpoint), ""
    else:
        dialed = socket.socket(socket.AF_INET)
        port, token = _address(endpoint)
        address = "127.0.0.1", port
    with dialed:
        dialed.settimeout(HELLO_S)
        dialed.connect(address)
        yield dialed, token


def _is_socket(endpoint: Path) -> bool:
    return stat.S_ISSOCK(endpoint.lstat().st_mode)


def _address(endpoint: Path) -> tuple[int, str]:
    """The daemon's loopback port and secret, which only this user can read."""
    port, token = endpoint.read_text(encoding="ascii").split()
    return int(port), token


def _spawn(command: list[str], stderr: Path) -> subprocess.Popen[bytes]:
    """Start the daemon detached: no terminal, no pipes, no signals from the editor."""
    with _stderr(stderr) as log:
        process = subprocess.Popen(
            command,
            cwd=child_process.ROOT,
            env=child_process.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            creationflags=_DETACHED,
        )
    # Waited for, or it would stay in the process table after its end for as long as the editor lives.
    threading.Thread(target=process.wait, name="reap-worker", daemon=True).start()
    return process


def _stderr(path: Path) -> IO[bytes]:
    """The file for the daemon's standard error; if it cannot be written, what the daemon says there is
    dropped."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open(path, "wb")
    except OSError:
        return open(os.devnull, "wb")


def _wait_for(process: subprocess.Popen[bytes], endpoint: Path, stderr: Path) -> None:
    until = time.monotonic() + START_S
    while not _accepts(endpoint):
        if process.returncode is not None:
            raise LaunchError(f"the worker ended at once: {_last_line(stderr)}")
        if time.monotonic() > until:
            process.kill()
            raise LaunchError(f"the worker did not listen within {START_S:.0f} s")
        time.sleep(POLL_S)


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
        if lines:
            return lines[-1].strip()
    return "it said nothing"
