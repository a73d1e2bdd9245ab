"""Files of one's own repository: an adapter learns from most of them, every fifth is held out to test it.

Licences are not looked at: the code is the user's, and the adapter stays with them.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from model_runtime.training.corpus import Document

SUFFIXES = {
    *(".py", ".js", ".ts", ".tsx", ".rs", ".go", ".c", ".h", ".cc", ".cpp", ".hpp", ".java", ".cs"),
    *(".rb", ".php", ".sh", ".lua", ".html", ".css"),
}
SKIPPED = {"node_modules", "venv", "build", "dist", "target", "__pycache__", "site-packages", "vendor"}
MAX_FILE, MIN_FILE = 200_000, 200  # characters
HELD_OUT = 5  # one file in so many, by its path


def documents(folder: Path, suffixes: set[str] | None = None) -> tuple[list[Document], list[Document]]:
    """(to learn from, held out), in a stable order. `suffixes`: instead of SUFFIXES."""
    both: tuple[list[Document], list[Document]] = ([], [])
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if path.suffix not in (suffixes or SUFFIXES):
                continue
            try:
                text = path.read_text("utf-8").replace("\r\n", "\n")
            except (OSError, UnicodeDecodeError):
                continue
            relative = path.relative_to(folder).as_posix()
            if MIN_FILE < len(text) < MAX_FILE:
                held = int(hashlib.sha256(relative.encode()).hexdigest(), 16) % HELD_OUT == 0
                both[held].append(Document(folder.name, "", relative, text))
    return both
