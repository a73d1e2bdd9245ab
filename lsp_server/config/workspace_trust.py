"""Which settings count, given that files of the workspace may have set them.

A client does not say where its settings come from, and most clients read some from the opened folder. But a
repository must not be able to have a model of its own loaded, or text sent to a URL. So paths inside the
workspace and URLs count only if the client sends `"trusted": true` in its initializationOptions, which it
must never take from a file of the workspace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lsp_server.config.settings import Settings

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REMEDY = 'if you chose it yourself, have your editor send {"trusted": true} in initializationOptions'


def without_untrusted(
    settings: Settings, folders: Sequence[Path], trusted: bool
) -> tuple[Settings, list[str]]:
    """The settings, with untrusted values set back to their defaults, and a line for each of those.

    `folders` are the workspace's. If there are none, the folder that the server runs in counts as one.
    """
    if trusted:
        return settings, []
    refused: dict[str, str] = {}
    if _URL.match(settings.model):
        refused["model"] = "a URL"
    elif is_path(settings.model) and _within(settings.model, folders or [Path.cwd()]):
        refused["model"] = "inside the workspace"
    if settings.adapter and _within(settings.adapter, folders or [Path.cwd()]):
        refused["adapter"] = "inside the workspace"
    if settings.backend_url:
        refused["backend_url"] = "a URL"
    problems = [
        f"infill.{'backendUrl' if name == 'backend_url' else name}: {getattr(settings, name)!r} is {why}, "
        f"so the workspace itself may have set it; using the default. {_REMEDY[0].upper()}{_REMEDY[1:]}"
        for name, why in refused.items()
    ]
    reset = [*refused, "backend"] if "backend_url" in refused else refused
    return replace(settings, **{name: getattr(_DEFAULTS, name) for name in reset}), problems


def is_path(model: str) -> bool:
    """Whether a model is given as a folder, not as a name or an id."""
    return model.startswith((".", "~")) or Path(model).is_absolute()


def _within(path: str, folders: Sequence[Path]) -> bool:
    try:
        target = Path(path).expanduser().resolve()
        return any(target.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError):  # a loop of links, no home folder
        return True


_DEFAULTS = Settings()
