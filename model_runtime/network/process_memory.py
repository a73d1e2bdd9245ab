"""How much memory the worker holds, and giving back what an unloaded model leaves behind.

Never imports torch: a process that has not loaded it holds nothing on a device.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from typing import Any

import psutil

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's malloc.h


def resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def device_bytes() -> int:
    """Taken on the current GPU by this process, caches included; 0 without one."""
    cuda = _cuda()
    return cuda.memory_reserved() if cuda else 0


def configure() -> None:
    """Make all threads allocate from one arena, so that one can use what another freed. Call it before other
    threads start."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def release() -> None:
    """Hand freed memory back: to the GPU's other users, and to the system."""
    gc.collect()
    if cuda := _cuda():
        cuda.empty_cache()
    trim()


def trim() -> None:
    """Hand free pages back to the system; the C library keeps those that lie between pages in use. Takes a
    few milliseconds, and so does using such pages again."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a libc without it
            ctypes.CDLL(None).malloc_trim(0)


def _cuda() -> Any:
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # absent while another thread imports torch
    return cuda if cuda and getattr(cuda, "is_initialized", bool)() else None
