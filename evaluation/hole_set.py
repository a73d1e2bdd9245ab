"""Holes in whole projects: a folder with the projects' files, and beside them where the holes are.

`benchmarks.projects` makes such a folder: FOLDER/<split>/<language>/<project>/ holds a project's files, and
FOLDER/<split>/<language>.jsonl.gz one hole a line, with offsets in code points of its file's text.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from evaluation.places import DataError
from evaluation.places import Place as Cursor
from model_runtime.training.holes import Kind


class HolesError(DataError):
    """The holes cannot be read; the text is one line that says what to do."""


@dataclass(frozen=True)
class Hole:
    """A place with its text: `middle` is missing between `before` and `after`, which are the whole file."""

    kind: Kind
    language: str
    project: str
    path: str
    before: str
    middle: str
    after: str


@dataclass(frozen=True)
class Place:
    """A hole as it is stored; offsets are code points of the file's text."""

    kind: Kind
    language: str
    project: str
    path: str
    start: int
    end: int


def load(folder: Path, split: str, language: str) -> list[Hole]:
    """The holes of a split and language with their texts, in the order in which they were cut. Raises
    HolesError."""
    packed = folder / split / f"{language}.jsonl.gz"
    if not packed.exists():
        raise HolesError(f"{packed} is missing; `python -m benchmarks.projects --out {folder}` makes it")
    texts: dict[Path, str] = {}
    holes: list[Hole] = []
    for line in gzip.decompress(packed.read_bytes()).splitlines():
        place = Place(**json.loads(line))
        path = packed.parent / language / place.project / place.path
        if path not in texts:
            try:
                texts[path] = path.read_text(encoding="utf-8")
            except OSError:
                raise HolesError(
                    f"{path} is missing; `python -m benchmarks.projects --out {folder}` makes it"
                ) from None
        text = texts[path]
        around = text[: place.start], text[place.start : place.end], text[place.end :]
        holes.append(Hole(place.kind, place.language, place.project, place.path, *around))
    return holes


def read(folder: Path, split: str, language: str) -> list[Cursor]:
    """The same as places to be asked about, each in its project. Raises HolesError."""
    projects = folder / split / language
    return [
        Cursor(
            hole.kind,
            f"{hole.project}/{hole.path}",
            hole.before,
            hole.after,
            hole.middle,
            hole.language,
            project=projects / hole.project,
            path=hole.path,
        )
        for hole in load(folder, split, language)
    ]
