"""The outlines of other files and documents, by key and by name, as the reader process has made them.

A key is a path, or the URI of a document that is no file; languages are canonical ids. Everything here has
passed the exclusion rules and holds no secrets. Knows neither the process nor the disk.
"""

from __future__ import annotations

import os.path
from collections import defaultdict
from collections.abc import Collection
from pathlib import PurePath

from msgspec import structs

from lsp_server.context.outline import Outline

MAX_SIGNATURES = 100_000  # take 25 MB
COMMON = 6  # definitions; a name with more of them is too common to be of use


class SymbolIndex:
    def __init__(self) -> None:
        self.generation = 0  # changes with anything here
        self._outlines: dict[str, Outline] = {}
        self._documents: dict[str, None] = {}  # open ones, the last used last
        self._stamps: dict[str, tuple[int, int]] = {}  # of files
        self._files: dict[str, dict[str, bool]] = defaultdict(dict)  # folder -> key -> is its text here?
        self._signatures: dict[str, dict[str, str]] = defaultdict(dict)  # name -> key -> text
        self._count = 0

    def opened(self, key: str) -> None:
        """A document is open: from now on its own outlines count for this key, the file's do not."""
        self.forget([key])
        self._documents[key] = None

    def closed(self, key: str) -> None:
        self._documents.pop(key, None)
        self.forget([key])

    def used(self, key: str) -> None:
        if key in self._documents:
            self._documents[key] = self._documents.pop(key)

    def take(self, outline: Outline) -> bool:
        """Keep an outline, and return whether it counts: a file's does not while its document is open, nor a
        document's once it is closed."""
        key, of_document = outline.key, outline.stamp == (0, 0)
        if of_document != (key in self._documents):
            return False
        self.forget([key])
        kept = outline.signatures[: max(0, MAX_SIGNATURES - self._count)]
        self._count += len(kept)
        self._outlines[key] = structs.replace(outline, signatures=kept)
        if not of_document:
            self._stamps[key] = outline.stamp
            self._files[_folder(key)][key] = outline.text is not None
        for each in kept:
            self._signatures[each.name].setdefault(key, each.text)
        return True

    def forget(self, keys: Collection[str]) -> None:
        self.generation += 1
        for key in keys:
            if outline := self._outlines.pop(key, None):
                self._count -= len(outline.signatures)
                self._files[_folder(key)].pop(key, None)
                self._stamps.pop(key, None)
                for name in {each.name for each in outline.signatures}:
                    del self._signatures[name][key]
                    if not self._signatures[name]:
                        del self._signatures[name]

    def keep_texts(self, folders: Collection[str]) -> None:
        """Drop the text of files in other folders; their signatures and imports stay."""
        for folder in self._files.keys() - set(folders):
            for key in [key for key, has_text in self._files[folder].items() if has_text]:
                self._files[folder][key] = False
                self._outlines[key] = structs.replace(self._outlines[key], text=None)

    def known(self) -> dict[str, tuple[int, int]]:
        """The stamps of the files that are here."""
        return dict(self._stamps)

    def with_text(self, folders: Collection[str]) -> tuple[str, ...]:
        """The files in these folders whose text is here too."""
        files = (each for folder in folders for each in self._files.get(folder, {}).items())
        return tuple(key for key, has_text in files if has_text)

    def text(self, key: str) -> str | None:
        return outline.text if (outline := self._outlines.get(key)) else None

    def imports(self, key: str) -> str:
        return outline.imports if (outline := self._outlines.get(key)) else ""

    def signatures(self, name: str, language: str, near: str) -> list[tuple[str, str]]:
        """(key, text) of the definitions of a name, those in the folders nearest to the path `near` last,
        and of equally near ones by path. Empty for a common name."""
        found = self._signatures.get(name, {})
        if not 0 < len(found) <= COMMON:
            return []
        alike = (each for each in found.items() if self._outlines[each[0]].language == language)
        return sorted(alike, key=lambda each: (_closeness(each[0], near), each[0]))

    def texts(self, language: str, near: str) -> list[tuple[str, str]]:
        """(key, text) of the other open documents, the last used first, then of the files in the folder of
        `near` by path, whatever the order they were read in."""
        keys = (*reversed(self._documents), *sorted(self._files.get(_folder(near), ())))
        found = ((key, self._outlines.get(key)) for key in keys)
        return [
            (key, outline.text)
            for key, outline in found
            if key != near and outline and outline.text and outline.language == language
        ]


def _folder(key: str) -> str:
    return os.path.dirname(key)


def _closeness(key: str, near: str) -> int:
    """How many folders two paths share, from the root on."""
    shared = 0
    for one, other in zip(PurePath(key).parts, PurePath(near).parts, strict=False):
        if one != other:
            break
        shared += 1
    return shared
