"""Run a program that a model has written parts of, in a process with limits, and say whether it passed.

A run never takes longer than its limit, and no process that the program starts outlives it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

JAIL = Path(__file__).with_name("jail.py")
MEMORY = 512 << 20  # bytes of address space
CPU_S = 5
WALL_S = 15.0  # more than the CPU's: the machine may be busy


@dataclass(frozen=True, slots=True)
class Verdict:
    passed: bool
    reason: str  # "passed", "timeout", or the last line of what went wrong


def run(program: str, *, memory: int = MEMORY, cpu_s: int = CPU_S, wall_s: float = WALL_S) -> Verdict:
    """A program passes if it runs to its end; an exit of its own does not count."""
    with tempfile.TemporaryDirectory(prefix="infill-eval-") as folder, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(JAIL), str(memory), str(cpu_s)],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(program.encode("utf-8", "replace"), timeout=wall_s)
        except subprocess.TimeoutExpired:
            return Verdict(False, "timeout")
        finally:
            _end(process)
        if process.returncode == 0 and out == b"passed":
            return Verdict(True, "passed")
        if process.returncode in (-_signal("SIGXCPU"), -_signal("SIGKILL")):
            return Verdict(False, "timeout")
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
        return Verdict(False, lines[-1][:200] if lines else f"exit status {process.returncode}")


def _signal(name: str) -> int:
    return int(getattr(signal, name, 0)) or -1  # Windows lacks some


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and all that it started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()
