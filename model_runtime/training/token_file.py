"""A tokenized corpus in one small file, and the same laid open to be mapped into memory.

Packed, it is one xz stream: a line of JSON (`Contents`), then the ids of all documents one after another as
little-endian uint16. It brings its tokenizer along, so that nothing else has to travel. Knows no model.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from tokenizers import Tokenizer

from model_runtime.training.documents import TokenizedDocument, line_starts
from model_runtime.training.vocabulary import Ids

IDS = np.dtype("<u2")
CONTENTS, UNPACKED = "contents.json", "tokens.u16"  # in the folder of an unpacked corpus
CHUNK = 1 << 20  # bytes read at a time
SMALLEST, LARGEST = 1 << 20, 128 << 20  # bytes of the dictionary


class Origin(NamedTuple):
    """Where a document comes from, and how many tokens it has."""

    project: int  # index in `Contents.projects`
    path: str
    tokens: int
    held_out: bool


@dataclass(frozen=True)
class Contents:
    recipe: str  # sha256 of what the corpus was made by
    projects: Sequence[tuple[str, str, str]]  # (name, version, licence)
    documents: Sequence[Origin]
    tokenizer: str  # JSON


def write(path: Path, contents: Contents, ids: Iterable[np.ndarray]) -> str:
    """Pack; `ids` has an array for each document. Returns the sha256 of all ids."""
    found = hashlib.sha256()
    partial = path.with_name(path.name + ".partial")
    size = sum(origin.tokens for origin in contents.documents) * IDS.itemsize
    with lzma.open(partial, "wb", filters=filters(size)) as out:
        out.write(_line(contents))
        for each in ids:
            data = each.astype(IDS).tobytes()
            found.update(data)
            out.write(data)
    os.replace(partial, path)
    return found.hexdigest()


def save(folder: Path, contents: Contents, ids: Iterable[np.ndarray]) -> None:
    """The same, not packed, where `TokenFile` opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / UNPACKED).open("wb") as out:
        out.writelines(each.astype(IDS).tobytes() for each in ids)
    (folder / CONTENTS).write_bytes(_line(contents))


def _line(contents: Contents) -> bytes:
    return json.dumps(asdict(contents), ensure_ascii=False).encode() + b"\n"


def filters(size: int) -> list[dict[str, int]]:
    """A dictionary as long as the data finds what projects have in common; ids are pairs of bytes."""
    within = min(max(SMALLEST, size), LARGEST)
    return [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": within, "lc": 1, "lp": 1, "pb": 1}]


def recipe_of(path: Path) -> str:
    """What a packed file was made by; empty where there is none."""
    if not path.exists():
        return ""
    with lzma.open(path) as packed:
        return json.loads(packed.readline())["recipe"]


def open_packed(path: Path, folder: Path) -> TokenFile:
    """Unpack into `folder`, unless that is done already, and map the ids."""
    stamp = hashlib.sha256(path.read_bytes()).hexdigest()
    if not (folder / stamp).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with lzma.open(path) as packed, (folder / UNPACKED).open("wb") as out:
            (folder / CONTENTS).write_bytes(packed.readline())
            while chunk := packed.read(CHUNK):
                out.write(chunk)
        (folder / stamp).touch()
    return TokenFile(folder)


class TokenFile:
    """An unpacked corpus. Its ids stay on the disk until they are looked at; processes share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        known = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        documents = [Origin(*each) for each in known["documents"]]
        self.contents = Contents(**{**known, "documents": documents})
        self.ids = np.memmap(folder / UNPACKED, IDS, "r")

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.contents.tokenizer)

    def documents(self, *, held_out: bool) -> list[TokenizedDocument]:
        """Those of one part."""
        return list(self._documents(held_out))

    def _documents(self, held_out: bool) -> Iterator[TokenizedDocument]:
        ids_of = Ids(self.tokenizer)
        newline = ids_of.encode("\n")[0]
        at = 0
        for origin in self.contents.documents:
            ids = self.ids[at : at + origin.tokens]
            at += origin.tokens
            if origin.held_out == held_out:
                starts = line_starts(ids, newline)
                project = self.contents.projects[origin.project][0]
                yield TokenizedDocument(Lines(ids, starts, ids_of), ids, starts, project, origin.path)


class Lines(Sequence[str]):
    """The lines of a document, made of its ids when they are looked at."""

    def __init__(self, ids: np.ndarray, starts: np.ndarray, text_of: Ids) -> None:
        self._ids, self._starts, self._text_of = ids, starts, text_of

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        line = range(len(self))[at]
        first, end = int(self._starts[line]), int(self._starts[line + 1])
        return self._text_of.decode(self._ids[first : end - 1].tolist())
