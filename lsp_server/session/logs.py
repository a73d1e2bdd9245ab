"""The server's log: where it goes, how large it gets, and that the user's code is not in it.

An exception's message may quote what it failed on, and other packages log whole messages. So, except at the
level `trace`, an exception is logged as its type and its traceback, and another package's record without its
values.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

TRACE = 5
FILE_BYTES = 1_000_000
FILES = 3
OURS = "lsp_server"

_levels = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class RedactingFormatter(logging.Formatter):
    """Leaves out whatever may quote the user's code, unless `verbatim` is set."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self.verbatim = False

    def format(self, record: logging.LogRecord) -> str:
        if self.verbatim:
            return super().format(record)
        plain = logging.makeLogRecord(record.__dict__)
        plain.exc_text = plain.stack_info = None
        if record.name.partition(".")[0] != OURS:
            plain.msg, plain.args = str(record.msg).partition("\n")[0], None
        return super().format(plain)

    def formatException(self, ei) -> str:
        if self.verbatim:
            return super().formatException(ei)
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "")


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """Only this user can read the file, also after it has been rotated."""

    def _open(self) -> io.TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            errors="backslashreplace",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )


class _ClientHandler(logging.Handler):
    """Passes this package's own records on. Other packages' stay where they were: those that send messages
    would send one for each that they send."""

    def __init__(self, send: Callable[[int, str], None]) -> None:
        super().__init__()
        self._send = send
        self.addFilter(_is_ours)
        self.setFormatter(_brief)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(record.levelno, self.format(record))
        except Exception:  # the client is gone
            self.handleError(record)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == OURS


def _is_not_ours(record: logging.LogRecord) -> bool:
    return not _is_ours(record)


_formatter = RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
_brief = RedactingFormatter("%(name)s: %(message)s")  # for a log that adds time and level itself


def configure(file: Path | None = None) -> None:
    """Log to standard error and, if given, to a file of limited size. Raises OSError."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file:
        handlers.append(_PrivateFile(file, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8"))
    logging.raiseExceptions = False  # a full disk must not fill standard error with tracebacks
    logging.addLevelName(TRACE, "TRACE")
    for handler in handlers:
        handler.setFormatter(_formatter)
        logging.getLogger().addHandler(handler)
    set_level("info")


def to_client(send: Callable[[int, str], None]) -> None:
    """Pass our records to `send`, as a level of `logging` and a text, instead of to standard error."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.addFilter(_is_not_ours)
    root.addHandler(_ClientHandler(send))


def set_level(name: str) -> None:
    """A value of `infill.logLevel`; `trace` includes all messages, and so the user's code."""
    _formatter.verbatim = _brief.verbatim = name == "trace"
    logging.getLogger(OURS).setLevel(_levels.get(name, TRACE))
    logging.getLogger("pygls").setLevel(logging.DEBUG if name == "trace" else logging.ERROR)
