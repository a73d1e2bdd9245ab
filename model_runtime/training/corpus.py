"""What the embedded model may learn from: Python source that is on this machine, with its licence.

Sources are the standard library and installed distributions whose metadata names a permissive licence. Whole
projects are held out for testing. Files that repeat lines seen before, in held-out projects or others, are
dropped. Knows nothing of tokens or models.
"""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

HELD_OUT = frozenset(
    {"click", "flask", "werkzeug", "requests", "rich", "pexpect", "graphql-core", "trio", "pygls"}
)
PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|ASL|ISC|ISCL|PSF|Python Software Foundation|0BSD|HPND)\b", re.I)
RESTRICTED = re.compile(r"\b(A?L?GPL|MPL|Mozilla|GNU|EUPL|CC-BY-NC)\b", re.I)
BENCHMARKS = re.compile(r"human[-_ ]?eval|\bmbpp\b", re.I)
SKIP_PARTS = frozenset({"_vendor", "vendored", "_vendored", "site-packages", "lib2to3", "idlelib"})
MAX_FILE = 200_000  # characters: larger ones are tables or generated
PROJECT_CAP = 12_000_000  # characters: no project may dominate
SEEN_TRAIN, SEEN_HELD_OUT = 0.6, 0.25  # share of a file's lines already seen that makes it a duplicate


@dataclass(frozen=True)
class Document:
    project: str
    licence: str
    path: str  # relative to the project's folder
    text: str  # \n line ends


@dataclass(frozen=True)
class Project:
    name: str
    version: str
    licence: str
    files: tuple[tuple[str, Path], ...]  # (relative path, file)


def licence_of(dist: metadata.Distribution) -> str | None:
    """The licence's short name, or None where it is unknown or not permissive."""
    meta = cast(Message, dist.metadata)  # the declared protocol lacks `get`
    fields = [meta.get("License-Expression") or "", (meta.get("License") or "")[:200]]
    fields += [c.split("::")[-1] for c in meta.get_all("Classifier") or [] if c.startswith("License")]
    stated = " | ".join(f.strip().split("\n")[0] for f in fields if f.strip())
    if RESTRICTED.search(stated) or not PERMISSIVE.search(stated):
        return None
    return stated[:80]


def installed(site: Path) -> Iterator[Project]:
    for dist in sorted(metadata.distributions(path=[str(site)]), key=lambda d: (d.name or "").lower()):
        licence = licence_of(dist)
        if licence is None:
            continue
        files = tuple(
            (str(f), Path(str(f.locate())))
            for f in sorted(dist.files or ())
            if f.suffix == ".py" and not SKIP_PARTS & set(f.parts)
        )
        if files:
            yield Project((dist.name or "").lower(), dist.version, licence, files)


def standard_library(root: Path) -> Project:
    files = tuple(
        (str(p.relative_to(root)), p)
        for p in sorted(root.rglob("*.py"))
        if not SKIP_PARTS & set(p.relative_to(root).parts)
    )
    return Project(f"cpython-{root.name}", root.name, "PSF-2.0", files)


def projects(sites: Iterable[Path], stdlibs: Iterable[Path]) -> list[Project]:
    """Every permissive project below the given roots, each distribution once."""
    found: dict[str, Project] = {}
    for root in stdlibs:
        project = standard_library(root)
        found.setdefault(project.name, project)
    for site in sites:
        for project in installed(site):
            found.setdefault(project.name, project)
    return list(found.values())


def default_roots() -> tuple[list[Path], list[Path]]:
    """(site-packages, standard libraries) of the running interpreter."""
    paths = sysconfig.get_paths()
    return [Path(paths["purelib"])], [Path(paths["stdlib"])]


def suits(text: str) -> bool:
    """Whether a file is neither tiny nor a table, and names no benchmark."""
    lines = text.count("\n") + 1
    return 200 < len(text) < MAX_FILE and len(text) / lines <= 80 and not BENCHMARKS.search(text)


def read(project: Project) -> Iterator[Document]:
    total = 0
    for relative, path in project.files:
        try:
            text = path.read_text("utf-8").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError):
            continue
        if not suits(text):
            continue
        total += len(text)
        if total > PROJECT_CAP:
            return
        yield Document(project.name, project.licence, relative, text)


def save(path: Path, train: Iterable[Document], held_out: Iterable[Document]) -> None:
    """One JSON object a line; `load` reads it back."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for held, documents in ((False, train), (True, held_out)):
            out.writelines(json.dumps({"held_out": held, **asdict(d)}) + "\n" for d in documents)
    partial.replace(path)


def load(path: Path) -> tuple[list[Document], list[Document]]:
    """(training, held-out) documents."""
    both: tuple[list[Document], list[Document]] = ([], [])
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            both[record.pop("held_out")].append(Document(**record))
    return both


class Repeats:
    """The lines of all files so far; which files repeat too many of them. Held-out files come first."""

    def __init__(self) -> None:
        self._held_out: set[int] = set()
        self._seen: set[int] = set()

    def hold_out(self, text: str) -> bool:
        """Whether the file has lines that count."""
        lines = _lines(text)
        self._held_out.update(lines)
        return bool(lines)

    def admit(self, text: str) -> bool:
        """Whether the file may be learnt from."""
        lines = _lines(text)
        copied = sum(h in self._held_out for h in lines)
        repeated = sum(h in self._seen for h in lines)
        if not lines or copied > SEEN_HELD_OUT * len(lines) or repeated > SEEN_TRAIN * len(lines):
            return False
        self._seen.update(lines)
        return True


def _lines(text: str) -> list[int]:
    return [hash(s) for line in text.split("\n") if len(s := line.strip()) > 20]


def collect(sources: Iterable[Project]) -> tuple[list[Document], list[Document]]:
    """(training, held-out) documents. Held-out projects are read first, so that copies of their files in
    training projects are found and dropped."""
    train: list[Document] = []
    held_out: list[Document] = []
    repeats = Repeats()
    for project in sorted(sources, key=lambda p: p.name not in HELD_OUT):
        if project.name in HELD_OUT:
            held_out += (document for document in read(project) if repeats.hold_out(document.text))
        else:
            train += (document for document in read(project) if repeats.admit(document.text))
    return train, held_out
