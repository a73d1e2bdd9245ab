"""How a child process that runs one of our modules is started: its command, its environment, its folder.

The child must load our packages and Python's own modules, whatever its folder or the user's workspace holds.
`-P` keeps the folder that it runs in off `sys.path`. Knows none of the modules that are started.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # holds our packages; to run in, as it is no user's workspace


def command(module: str, *arguments: str) -> list[str]:
    """`python -m module ...`. To be started with `environment()`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's environment, in which a child finds our packages.

    Every child finds what is installed. A checkout may be on this process's path only, so it is appended to
    PYTHONPATH. Site-packages must not be: what PYTHONPATH names comes before the standard library.
    """
    found = dict(os.environ)
    before = found.get("PYTHONPATH", "")
    if not _installed() and str(ROOT) not in before.split(os.pathsep):
        found["PYTHONPATH"] = f"{before}{os.pathsep}{ROOT}" if before else str(ROOT)
    return found


def _installed() -> bool:
    folders = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
    return ROOT in (Path(folder).resolve() for folder in folders)
