"""The server's log: where it goes, how much there is, and that the user's code is not in it.

An exception's message may quote what it failed on, and other packages log whole messages. Below the level
`trace` neither is written: of an exception its kind and where it happened, of another package's record
the words without the values.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import traceback
from pathlib import Path

TRACE = 5
FILE_BYTES = 1_000_000
FILES = 3
OURS = "lsp_server"

_levels = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class Discreet(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.tells_all = False

    def format(self, record: logging.LogRecord) -> str:
        if self.tells_all:
            return super().format(record)
        plain = logging.makeLogRecord(record.__dict__)
        plain.exc_text = plain.stack_info = None
        if record.name.partition(".")[0] != OURS:
            plain.msg, plain.args = str(record.msg).partition("\n")[0], None
        return super().format(plain)

    def formatException(self, ei) -> str:
        if self.tells_all:
            return super().formatException(ei)
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "")


class _Private(logging.handlers.RotatingFileHandler):
    """For this user's eyes, also after it has been rotated."""

    def _open(self) -> io.TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            errors="backslashreplace",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )


_formatter = Discreet()


def configure(file: Path | None = None) -> None:
    """To standard error, and to a file that is kept small if asked for. Raises OSError."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file:
        handlers.append(_Private(file, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8"))
    logging.raiseExceptions = False  # a full disk is no reason to say more
    logging.addLevelName(TRACE, "TRACE")
    for handler in handlers:
        handler.setFormatter(_formatter)
        logging.getLogger().addHandler(handler)
    set_level("info")


def set_level(name: str) -> None:
    """A value of `infill.logLevel`; `trace` includes all messages, and so the user's code."""
    _formatter.tells_all = name == "trace"
    logging.getLogger(OURS).setLevel(_levels.get(name, TRACE))
    logging.getLogger("pygls").setLevel(logging.DEBUG if name == "trace" else logging.ERROR)
