"""What the measuring commands share on a terminal: checking arguments, and progress on stderr.

Their results go to stdout and are their own business.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Reports wrong use in one line, without the usage text. Exits with status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def writable(text: str) -> Path:
    """The type of an argument that names a file to write. Raises argparse.ArgumentTypeError."""
    path = Path(text).expanduser()
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written; name a file in an existing folder")
    return path


def say(line: str) -> None:
    """A line on stderr, at once."""
    print(line, file=sys.stderr, flush=True)
