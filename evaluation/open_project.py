"""A project opened as an editor opens it, with the document of a place on the screen.

The project's files are copied into a folder of their own, and the place's file is written there with its
hole: the text that is missing is not on the disk, and so not in the index. The server's own pieces read the
folder: document tracker, reader process, context. All that these pass on to a worker goes to every contender.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.contenders import Contender
from evaluation.places import DataError, Place
from lsp_server.config.file_filter import Rules
from lsp_server.config.settings import Settings
from lsp_server.context.document_tracker import DocumentTracker
from lsp_server.context.gather import Context
from lsp_server.text.buffer import Buffer
from model_runtime.protocol import Texts

READ_S = 300.0  # a project that is not read after so long never will be
POLL_S = 0.05

_numbers = itertools.count(1)


class OpenProject:
    """One project. `uri` is the open document's."""

    def __init__(self, folder: Path, settings: Settings, contenders: Sequence[Contender]) -> None:
        self.workspace = f"evaluation-{os.getpid()}-{next(_numbers)}"
        self.uri = ""
        self._source, self._contenders = folder, contenders
        self._copy = tempfile.TemporaryDirectory(prefix="infill-eval-")
        self._root = Path(self._copy.name).resolve() / folder.name
        shutil.copytree(folder, self._root)
        self._documents: dict[str, Buffer] = {}
        self._path = ""
        self.tracker = DocumentTracker(self._documents.get, library=self)
        self.tracker.watched = True  # no scan without a reason
        self.context = Context(self.tracker)
        self.tracker.configure(Rules(settings.exclude, settings.languages, (str(self._root),)))

    async def show(self, place: Place) -> None:
        """Have the place's document open with its hole, and everything read and indexed. Raises DataError."""
        scans = self.tracker.scans
        another = place.path != self._path
        if another and self._path:
            shutil.copyfile(self._source / self._path, self._root / self._path)
            del self._documents[self.uri]
            self.tracker.closed(self.uri)
            self.tracker.files_changed()
        self._path, file = place.path, self._root / place.path
        self.uri, text = file.as_uri(), place.before + place.after
        file.write_text(text, encoding="utf-8", newline="")
        self._documents[self.uri] = Buffer(self.uri, 0, place.language, text)
        self.tracker.opened(self.uri)
        try:
            async with asyncio.timeout(READ_S):
                self.tracker.refresh()
                while another and self.tracker.scans == scans:
                    await asyncio.sleep(POLL_S)
                    self.tracker.refresh()
                # Documents are read in turn: when this has been, so has the one that was opened.
                while not any(await self.tracker.cleaned((f"text {next(_numbers)}",))):  # noqa: ASYNC110 (nothing tells)
                    await asyncio.sleep(POLL_S)
                for contender in self._contenders:
                    await contender.indexed()
        except TimeoutError:
            raise DataError(f"{self._source} could not be read within {READ_S:.0f} s") from None

    async def close(self) -> None:
        await self.tracker.close()
        self.clear()
        self._copy.cleanup()

    # As the tracker's library

    def put(self, key: str, language: str, text: str) -> None:
        self._tell(Texts(self.workspace, language, {key: text}))

    def drop(self, keys: Sequence[str]) -> None:
        self._tell(Texts(self.workspace, gone=tuple(keys)))

    def clear(self) -> None:
        self._tell(Texts(self.workspace, renewed=True))

    def _tell(self, texts: Texts) -> None:
        for contender in self._contenders:
            contender.tell(texts)


class Desk:
    """Where one project at a time is open: that of the place in hand."""

    def __init__(self, contenders: Mapping[str, Contender], settings: Settings) -> None:
        self._contenders, self._settings = tuple(contenders.values()), settings
        self._folder: Path | None = None
        self._project: OpenProject | None = None

    async def open(self, place: Place) -> OpenProject | None:
        """The place's project with its document open; None for a place without one. Raises DataError."""
        if place.project != self._folder:
            await self._close()
            self._folder = place.project
            if place.project:
                self._project = OpenProject(place.project, self._settings, self._contenders)
        if self._project:
            await self._project.show(place)
        return self._project

    async def __aenter__(self) -> Desk:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._project:
            await self._project.close()
        self._project, self._folder = None, None
