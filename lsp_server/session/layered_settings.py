"""The settings of an editor: what each source has said, for the whole workspace and for single folders.

Which values are valid and which of them a workspace may set is decided in `config`. Knows no documents.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lsp_server.config.file_filter import FolderRules, Rules, path_of
from lsp_server.config.settings import Settings, flat, in_folder, resolve, without_effect
from lsp_server.config.workspace_trust import without_untrusted

OPTIONS = "initializationOptions"  # the only source of settings that the client itself has written


class LayeredSettings:
    def __init__(self) -> None:
        self.general = Settings()  # what holds where no folder has settings of its own
        self.folders: tuple[Path, ...] = ()  # the workspace's
        self._trusted = False  # the client vouches for its settings
        self._said: dict[str, Any] = {}  # what each source has said last
        self._of_folders: dict[str, dict[Path, Any]] = {}  # the same, for folders
        self._by_folder: dict[Path, Settings] = {}  # of the folders that have settings of their own

    def say(self, source: str, raw: Any, of_folders: Mapping[str, Any]) -> None:
        """What a source says, in place of what it said before; it outweighs sources that came earlier.
        `of_folders`: what it says for folders, by URI, where that differs."""
        if source == OPTIONS and isinstance(raw, dict):
            self._trusted = raw.get("trusted") is True
            raw = {name: value for name, value in raw.items() if name != "trusted"}
        self._said[source] = raw
        self._of_folders[source] = {path(uri): own for uri, own in of_folders.items()}

    def use_folders(self, uris: Iterable[str]) -> None:
        self.folders = tuple(path(uri) for uri in uris if uri.startswith("file:"))

    def resolve(self) -> list[str]:
        """Make settings of all that was said. Returns the problems, each one line for a person."""
        settings, problems = _merged(self._said.values())
        self.general, refused = without_untrusted(settings, self.folders, self._trusted)
        self._by_folder = {}
        for folder in self.folders:
            said = [self._of_folders[source].get(folder, raw) for source, raw in self._said.items()]
            if said != list(self._said.values()):
                own, more = _merged(said)
                problems += more
                self._by_folder[folder] = in_folder(self.general, own)
        return list(dict.fromkeys([*problems, *refused, *without_effect(self.general)]))

    def at(self, uri: str) -> Settings:
        """What holds for a file: the settings of the innermost folder that it is in."""
        if not self._by_folder:
            return self.general
        file = path(uri)
        around = (folder for folder in self._by_folder if file.is_relative_to(folder))
        innermost = max(around, key=lambda folder: len(folder.parts), default=None)
        return self._by_folder[innermost] if innermost else self.general

    def rules(self) -> Rules:
        """Which files may be read."""
        own = (FolderRules(str(at), it.exclude, it.languages) for at, it in self._by_folder.items())
        roots = tuple(map(str, self.folders))
        return Rules(self.general.exclude, self.general.languages, roots, tuple(own))


def _merged(said: Iterable[Any]) -> tuple[Settings, list[str]]:
    """Settings of what sources have said, and the problems. What is null, or no object, says nothing."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for each in said:
        if isinstance(each, dict):
            values |= {name: value for name, value in flat(each).items() if value is not None}
        else:
            problems += resolve(each)[1]
    settings, more = resolve(values)
    return settings, problems + more


def path(uri: str) -> Path:
    return Path(os.path.normpath(path_of(uri)))
