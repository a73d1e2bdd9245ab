"""One thing that was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str  # what was looked at
    level: Level
    message: str  # how it is, one line
    remedy: str = ""  # what to do; not empty unless it is ok


def ok(name: str, message: str) -> Finding:
    return Finding(name, "ok", message)


def warning(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "warning", message, remedy)


def problem(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "problem", message, remedy)


def of_line(name: str, line: str, remedy: str) -> Finding:
    """A problem that the worker's side tells: what is wrong, and at the end the remedy, or else this one."""
    what, _, own = line.rpartition("; ")
    return problem(name, what, own) if what else problem(name, line, remedy)
