"""The engine's expected failures, as exceptions that the daemon turns into refusals; and how bugs are logged.

No torch: the scheduler imports this, the engine raises it.
"""

from __future__ import annotations

import importlib.util
import logging
import shlex
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.protocol import Reason

log = logging.getLogger(__name__)

LOCAL = ("torch", "safetensors", "transformers", "accelerate")  # what a model on this machine needs
INSTALLED_AS = {"PIL": "pillow"}  # where that is another name


class ModelError(Exception):
    """The model cannot be loaded; the message is one line for a person."""


class Unfillable(Exception):
    """This request cannot be filled; the engine is fine. The message is one line for a person."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def one_line(error: BaseException, limit: int = 200) -> str:
    """What went wrong, for a person: the first line of the message, or the kind of error."""
    lines = str(error).strip().splitlines()
    return lines[0][:limit] if lines else type(error).__name__


def lacking(what: str, *libraries: str) -> str:
    """Which of these libraries, by the names that they are imported by, `what` needs and this environment
    does not have, and how to get them: one line for a person, empty where all are there."""
    absent = [INSTALLED_AS.get(name, name) for name in libraries if not _is_there(name)]
    if not absent:
        return ""
    command = shlex.join([sys.executable, "-m", "pip", "install", *absent])
    return f"{what} needs {', '.join(absent)}, not installed here; run `{command}`"


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # sys.modules has None for it, so that it cannot be imported
        return False


def log_bug(what: str, error: BaseException) -> None:
    """Log where it happened but not the message: that may quote the user's code."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", what, type(error).__name__, where.rstrip())
