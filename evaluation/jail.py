"""The child process of `sandbox`: a script that limits itself, then runs the program on its standard input.

`passed` is written to standard output only if the program runs to its end. Only the standard library is used.
It keeps careless code from doing harm: no files written, no network, no other processes, bounded memory
and time. It is no defence against code that is written to break out.
"""

from __future__ import annotations

import os
import sys
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_FORBIDDEN = ("socket.", "subprocess.", "shutil.", "ctypes.", "tempfile.", "os.exec", "os.fork", "os.kill")
_FORBIDDEN += (
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.startfile",
    "os.remove",
    "os.rename",
    "os.rmdir",
)
_FORBIDDEN += ("os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.chflags")
_FORBIDDEN += ("os.utime", "os.setxattr", "os.removexattr", "pty.", "resource.setrlimit", "sqlite3.")


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook; the program cannot remove it."""
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if any(letter in (mode or "") for letter in "wax+") or (flags or 0) & writes:
            raise PermissionError(f"the sandbox allows no writing: {arguments[0]!r}")
    elif event.startswith(_FORBIDDEN):
        raise PermissionError(f"the sandbox does not allow {event}")


def limit(memory: int, seconds: int) -> None:
    """Set hard limits (bytes, CPU seconds) where the system has them; on Linux also cut the network off."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)  # may be forbidden: the guard remains
    if sys.platform != "win32":
        import resource

        wanted = {"AS": memory, "CPU": seconds, "FSIZE": 1 << 20, "CORE": 0, "NOFILE": 64}
        for name, value in wanted.items():
            which = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(which)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(which, (value, value))
            except (ValueError, OSError):  # macOS has no RLIMIT_AS that works
                continue


def main() -> None:
    program = sys.stdin.read()
    answer = os.dup(1)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    code = compile(program, "<program>", "exec")
    limit(int(sys.argv[1]), int(sys.argv[2]))
    sys.addaudithook(guard)
    exec(code, {"__name__": "__main__"})
    os.write(answer, b"passed")


if __name__ == "__main__":
    main()
