"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str  # what was looked at
    level: Level
    message: str  # what was found, one line
    remedy: str = ""  # what to do about it; empty only if it is ok


def ok(name: str, message: str) -> Finding:
    return Finding(name, "ok", message)


def warning(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "warning", message, remedy)


def problem(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "problem", message, remedy)


def of_line(name: str, line: str, remedy: str) -> Finding:
    """A problem from a line of the worker's side: what is wrong, "; " and the remedy. `remedy` is for a line
    that has none."""
    what, _, its_remedy = line.rpartition("; ")
    return problem(name, what, its_remedy) if what else problem(name, line, remedy)
