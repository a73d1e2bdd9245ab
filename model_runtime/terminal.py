"""What the measuring commands share on a terminal: checked arguments, lines beside the table."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Wrong use is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def writable(text: str) -> Path:
    """An argument that names a file to be written. Raises argparse.ArgumentTypeError."""
    path = Path(text).expanduser()
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written; name a file in an existing folder")
    return path


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
