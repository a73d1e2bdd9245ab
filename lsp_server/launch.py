"""Finding the worker daemon, or starting it: everything about it that is not a message.

Whoever comes first starts it; a lock file settles races between editors. The daemon outlives the
process that started it. Nothing here is asynchronous except `connect`: run `start` in a thread.
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
from pathlib import Path

import filelock

from model_runtime import protocol

START_S = 30.0  # from spawning the daemon to its first accepted connection
STOP_S = 15.0  # for it to finish and be gone
POLL_S = 0.02
HELLO_S = 10.0

# The daemon's folder to run in: holds the package, and is never the user's workspace, whose
# files must not shadow ours.
_ROOT = Path(protocol.__file__).resolve().parent.parent

# Windows' words for a new session; nothing elsewhere.
_DETACHED = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class LaunchError(Exception):
    """There is no usable worker; the message is one line for a person."""


async def connect(endpoint: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """A connection with the hellos exchanged, or None where nobody listens."""
    try:
        reader, writer, token = await _open(endpoint)
    except (OSError, ValueError):
        return None
    try:
        writer.write(protocol.pack(protocol.Hello(token=token)))
        async with asyncio.timeout(HELLO_S):
            hello = await protocol.read_message(reader, protocol.worker_decoder)
    except TimeoutError:
        writer.transport.abort()
        raise LaunchError("the worker accepts connections but does not answer") from None
    except (OSError, protocol.ProtocolError):
        hello = None
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    if isinstance(hello, protocol.Hello) and hello.version == protocol.VERSION:
        return reader, writer
    writer.transport.abort()
    if isinstance(hello, protocol.Hello):
        raise LaunchError(f"the running worker speaks version {hello.version}; stop it")
    return None  # it hung up: it is leaving


def start(endpoint: Path, command: list[str], stderr: Path) -> None:
    """Make sure that somebody listens at `endpoint`: start the daemon unless it is there already."""
    try:
        with filelock.FileLock(endpoint.with_suffix(".start"), timeout=START_S, thread_local=False):
            if not _accepts(endpoint):
                _wait_for(_spawn(command, stderr), endpoint, stderr)
    except filelock.Timeout:
        raise LaunchError("another process has been starting the worker for too long") from None
    except OSError as error:
        raise LaunchError(f"cannot start the worker: {error}") from None


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


def _accepts(endpoint: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        if _is_socket(endpoint):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(HELLO_S)
                probe.connect(os.fspath(endpoint))
                return True
        with socket.create_connection(("127.0.0.1", _address(endpoint)[0]), HELLO_S):
            return True
    return False


def _is_socket(endpoint: Path) -> bool:
    return stat.S_ISSOCK(endpoint.lstat().st_mode)


def _address(endpoint: Path) -> tuple[int, str]:
    """The daemon's loopback port and secret, which only this user can read."""
    port, token = endpoint.read_text(encoding="ascii").split()
    return int(port), token


def _spawn(command: list[str], stderr: Path) -> subprocess.Popen[bytes]:
    """A process of its own: no terminal, no pipes, no signals from the editor."""
    stderr.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(stderr, "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            creationflags=_DETACHED,
        )
    # Reaped whenever it ends, or it would stay in the process table as long as the editor lives.
    threading.Thread(target=process.wait, name="reap-worker", daemon=True).start()
    return process


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
