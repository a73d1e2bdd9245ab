"""Lay out other people's projects as an editor would open them: to choose on (dev), test on and fit on.

    python -m benchmarks.projects --out FOLDER [--split dev|test|fit] [--language L] [--recipe FILE]

Each project of the recipe (`data/projects.toml`) is fetched with the machine's own package clients at the
version named there, its archive is compared with the hash named there, and its source files of that
language go to FOLDER/<split>/<language>/<project>/. What is there already is left alone. The holes that were
cut from them (`holes/` beside the recipe) go there too, for `benchmarks.holes.load`.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from benchmarks.archives import Clients, FetchError, Source, members, sha256

Split = Literal["dev", "test", "fit"]
RECIPE = Path(__file__).parent / "data" / "projects.toml"
LARGEST = 200_000  # bytes of a file
LONGEST_LINE = 1_000  # characters; longer ones are data, or minified
SUFFIXES: dict[str, tuple[str, ...]] = {
    "python": (".py",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "typescript": (".ts", ".tsx", ".mts", ".cts"),
    "go": (".go",),
    "rust": (".rs",),
    "java": (".java",),
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp"),
}
FOREIGN = {  # folders of code that is not the project's own, or that a tool has made
    *("vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty", "3rdparty"),
    *("extern", "external", "externals", "extlibs", "node_modules", "dist", "debian"),
}
MADE = re.compile(
    r"code generated|auto-?generated|automatically generated|@generated|do not edit|"
    r"(file|source code) (is |was )?generated|^\W*generated (by|table|\d)",
    re.IGNORECASE | re.MULTILINE,
)
HEADER = 1_500  # characters in which a file says that it was made
MADE_NAMES = ("*.min.js", "*.d.ts", "*.d.mts", "*.d.cts", "*.pb.go", "*.pb.cc", "*.pb.h", "*_pb2.py")


class RecipeError(Exception):
    """The recipe is wrong; the text is one line that says where."""


@dataclass(frozen=True)
class Project:
    """One project of the recipe. `folder` is the part of the archive to take, `exclude` are shell patterns
    of paths inside it to leave out."""

    name: str
    version: str
    language: str
    split: Split
    source: Source
    licence: str
    sha256: str
    package: str = ""  # its name at the source, where that is another
    folder: str = ""
    exclude: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        return Path(self.split, self.language, self.name)


def read(path: Path = RECIPE) -> list[Project]:
    """The projects of a recipe, in its order."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("project", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from None
    return [_project(table, f"{path.name}, project {number}") for number, table in enumerate(tables, 1)]


def _project(table: dict[str, Any], where: str) -> Project:
    try:
        project = Project(**{**table, "exclude": tuple(table.get("exclude", ()))})
    except TypeError as error:
        raise RecipeError(f"{where}: {error}") from None
    known = {"split": get_args(Split), "language": tuple(SUFFIXES), "source": get_args(Source)}
    for field, values in known.items():
        if getattr(project, field) not in values:
            raise RecipeError(f"{where}: {field} must be one of {', '.join(values)}")
    if not re.fullmatch(r"\w[\w.-]*", project.name):
        raise RecipeError(f"{where}: {project.name!r} is no name for a folder")
    return project


def sources(archive: Path, project: Project) -> Iterator[tuple[PurePosixPath, str]]:
    """The project's own source files: path inside the project, and text with \\n line ends."""
    for path, size, data in members(archive):
        if path.is_relative_to(project.folder) and size <= LARGEST:
            path = path.relative_to(project.folder)
            if (text := source(path, data, project)) is not None:
                yield path, text


def source(path: PurePosixPath, data: bytes, project: Project) -> str | None:
    """The text of a file at `path` inside the project; None where it is not the project's own source."""
    if path.suffix not in SUFFIXES[project.language] or FOREIGN & set(path.parts[:-1]):
        return None
    if any(fnmatch.fnmatchcase(str(path), pattern) for pattern in project.exclude):
        return None
    text = _text(data)
    return None if text is None or _made(path, text) else text


def _text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


def _made(path: PurePosixPath, text: str) -> bool:
    """Whether a tool has made it."""
    named = any(fnmatch.fnmatchcase(path.name, pattern) for pattern in MADE_NAMES)
    return named or bool(MADE.search(text[:HEADER])) or max(map(len, text.split("\n"))) > LONGEST_LINE


def lay_out(project: Project, out: Path, clients: Clients) -> str:
    """Put the project's files under `out`, unless they are there; says in a few words what was done."""
    place = out / project.place
    stamp = place.with_name(place.name + ".recipe")
    if place.is_dir() and stamp.exists() and stamp.read_text(encoding="utf-8") == repr(project):
        return "is there"
    archive = clients.fetch(project.source, project.package or project.name, project.version)
    found = sha256(archive)
    if found != project.sha256:
        raise FetchError(
            f"{project.name} {project.version}: the archive's sha256 is {found}, not the recipe's"
        )
    half = place.with_name("." + place.name)  # unseen by `benchmarks.holes` if this is cut short
    for old in (half, place):
        shutil.rmtree(old, ignore_errors=True)
    count = characters = 0
    for path, text in sources(archive, project):
        (half / path).parent.mkdir(parents=True, exist_ok=True)
        (half / path).write_text(text, encoding="utf-8", newline="\n")
        count, characters = count + 1, characters + len(text)
    if not count:
        raise FetchError(f"{project.name} {project.version}: no {project.language} files; is `folder` right?")
    half.rename(place)
    stamp.write_text(repr(project), encoding="utf-8")
    return f"{count} files, {characters / 1000:.0f} kB"


def put_holes(projects: Sequence[Project], out: Path, holes: Path) -> None:
    """Copy the holes of these projects' splits and languages to where `benchmarks.holes` reads them."""
    for place in sorted({Path(p.split, f"{p.language}.jsonl.gz") for p in projects}):
        if (holes / place).exists() and (out / place).parent.is_dir():
            shutil.copyfile(holes / place, out / place)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projects")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=get_args(Split))
    parser.add_argument("--language", choices=list(SUFFIXES))
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    options = parser.parse_args(arguments)
    try:
        projects = [
            project
            for project in read(options.recipe)
            if options.split in (None, project.split) and options.language in (None, project.language)
        ]
    except RecipeError as error:
        print(error, file=sys.stderr)
        return 2
    failed = 0
    with tempfile.TemporaryDirectory(prefix="projects-") as folder:
        clients = Clients(Path(folder))
        for number, project in enumerate(projects, 1):
            try:
                said = lay_out(project, options.out, clients)
            except FetchError as error:
                said, failed = str(error), failed + 1
            print(f"{number}/{len(projects)} {project.place}: {said}", file=sys.stderr, flush=True)
    put_holes(projects, options.out, options.recipe.parent / "holes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
