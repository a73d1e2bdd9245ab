"""Cut holes in the projects that `benchmarks.projects` lays out, and read them.

    python -m benchmarks.holes --out FOLDER [--split dev|test|fit] [--language L] [--count N] [--seed N]

A hole is a place in a file: FOLDER/<split>/<language>.jsonl.gz has one JSON object a line with kind,
language, project, path, start and end, the last two in code points of the text, and text[start:end] is what
is missing. Every project gives as many, every line of a project is as likely, and the same files and seed
give the same holes. In no language is what is missing a comment or documentation (Pygments says where they
are), without a letter or digit, such as a closing bracket, or in a line without a name, such as a table's.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import get_args

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, String

from benchmarks.projects import SUFFIXES, Split
from evaluation.hole_set import Hole as Hole  # `evaluation` reads what is cut here
from evaluation.hole_set import HolesError as HolesError
from evaluation.hole_set import Place
from evaluation.hole_set import load as load
from model_runtime.training.holes import CUTTERS, Kind, cut_hole

COUNTS: dict[tuple[str, bool], int] = {  # of each kind, by split and whether it is Python
    ("dev", True): 1_100,
    ("test", True): 500,
    ("fit", True): 800,
    ("dev", False): 400,
    ("test", False): 300,
}
LONGEST = 160  # characters of what is missing
TESTS_SHARE = 0.1  # of the holes are in the project's tests
TRIES = 200  # places looked at for each hole before a project is said to have no more
# Where a person pauses: behind a whole word, a space, a bracket, a dot, a comma, an equals sign.
PAUSE = re.compile(r"(?<=[\s()\[\]{}<>.,=])|(?<=\w)(?!\w)")
NAME = re.compile(r"\b[^\W\d]")  # a line without one is a table's
LONG_NAME = re.compile(r"\b[^\W\d]\w+")
PREPROCESSOR = (Comment.Preproc, Comment.PreprocFile)  # code, though Pygments files it under comments
TEST_FOLDERS = {"test", "tests", "testing", "testsuite", "testdata", "__tests__", "spec", "specs", "e2e"}
TEST_NAME = re.compile(r"^(test[s_-].*|tests?|conftest|.*([_.-](test|tests|spec)|Tests?|TestCase))$")


class File:
    """A source file: its text, its lines, and which of it is comment or documentation."""

    def __init__(self, path: str, text: str, language: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.removesuffix("\n").split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        self._language = language

    @cached_property
    def _prose(self) -> bytearray:
        """1 for each character of a comment or docstring."""
        lexer = get_lexer_by_name(self._language, stripnl=False, ensurenl=False)
        found = bytearray(len(self.text))
        for at, kind, value in lexer.get_tokens_unprocessed(self.text):
            if kind in String.Doc or (kind in Comment and kind not in PREPROCESSOR):
                found[at : at + len(value)] = b"\1" * len(value)
        return found

    def is_code(self, start: int, end: int) -> bool:
        """Whether it starts in code and a letter or digit of code is in it."""
        words = any(self.text[i].isalnum() and not self._prose[i] for i in range(start, end))
        return words and not self._prose[start]


def is_test(path: str) -> bool:
    """Whether a file is named like a test."""
    *folders, name = path.split("/")
    return bool(TEST_FOLDERS & set(folders) or TEST_NAME.match(name.rsplit(".", 1)[0]))


def cut(files: Sequence[File], kind: Kind, count: int, rng: random.Random) -> Iterator[tuple[File, int, int]]:
    """At most `count` different holes of a kind: file, start and end."""
    tests = [file for file in files if is_test(file.path)]
    share = round(count * TESTS_SHARE) if tests else 0
    yield from _drawn([file for file in files if not is_test(file.path)], kind, count - share, rng)
    yield from _drawn(tests, kind, share, rng)


def _drawn(
    files: Sequence[File], kind: Kind, count: int, rng: random.Random
) -> Iterator[tuple[File, int, int]]:
    lines = [(file, line) for file in files for line in range(len(file.lines))]
    seen: set[tuple[str, int, int]] = set()
    for _ in range(TRIES * count if lines else 0):
        file, line = rng.choice(lines)
        found = _cut_in(file, line, kind, rng)
        if found and (file.path, *found) not in seen:
            seen.add((file.path, *found))
            yield file, *found
            if len(seen) == count:
                break


def _cut_in(file: File, line: int, kind: Kind, rng: random.Random) -> tuple[int, int] | None:
    hole = cut_hole(file.lines, line, rng, kind)
    if hole is None or len(hole.middle) > LONGEST or not NAME.search(file.lines[line]):
        return None
    if kind == "end-of-line" and not (hole.head.strip() and PAUSE.match(file.lines[line], len(hole.head))):
        return None
    start = file.starts[hole.line] + len(hole.head)
    end = start + len(hole.middle)
    return (start, end) if file.is_code(start, end) else None


def within_name(hole: Hole) -> Hole | None:
    """The hole of a line's end with its beginning inside the name there, as far as someone may have typed it:
    the name that ends at the hole, or else the first behind it. None where none is; the same hole gives the
    same."""
    start = hole.before.rfind("\n") + 1
    head, line = hole.before[start:], hole.before[start:] + hole.middle
    name = next((m for m in LONG_NAME.finditer(line) if m.end() >= len(head)), None)
    if name is None:
        return None
    rng = random.Random(f"{hole.project}/{hole.path}/{len(hole.before)}")
    at = rng.randrange(name.start() + 1, name.end())
    return replace(hole, before=hole.before[:start] + line[:at], middle=line[at:])


def is_within_name(hole: Hole) -> bool:
    """Whether it is one of `within_name`'s: otherwise no line's end begins there."""
    letters = hole.before[-1:] + hole.middle[:1]
    return hole.kind == "end-of-line" and bool(re.fullmatch(r"\w\w", letters))


def read_files(folder: Path, language: str) -> list[File]:
    """A project's files as they were laid out, by path."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES[language] and p.is_file())
    texts = ((p, p.read_text(encoding="utf-8")) for p in paths)
    return [File(p.relative_to(folder).as_posix(), text, language) for p, text in texts if text.strip()]


def places(folder: Path, language: str, count: int, seed: int) -> list[Place]:
    """`count` of each kind from the projects in a folder, as many from each; shuffled, so that the first of
    them are a fair sample."""
    projects = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    found: list[Place] = []
    for number, project in enumerate(projects):
        files = read_files(project, language)
        share = count // len(projects) + (number < count % len(projects))
        for kind in CUTTERS:
            rng = random.Random(f"{seed}/{language}/{project.name}/{kind}")
            cuts = [
                Place(kind, language, project.name, f.path, *at) for f, *at in cut(files, kind, share, rng)
            ]
            if len(cuts) < share:
                print(f"{project}: only {len(cuts)} of {share} holes of kind {kind}", file=sys.stderr)
            found += cuts
    random.Random(seed).shuffle(found)
    return found


def write(path: Path, found: Sequence[Place]) -> None:
    """The same bytes for the same places."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as out:
        for place in found:
            out.write(json.dumps(vars(place), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    path.write_bytes(packed.getvalue())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.holes")
    parser.add_argument("--out", type=Path, required=True, help="the folder of `benchmarks.projects`")
    parser.add_argument("--split", choices=get_args(Split))
    parser.add_argument("--language", choices=list(SUFFIXES))
    parser.add_argument("--count", type=int, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for split in [options.split] if options.split else get_args(Split):
        for language in [options.language] if options.language else SUFFIXES:
            folder = options.out / split / language
            if folder.is_dir():
                count = options.count or COUNTS[split, language == "python"]
                found = places(folder, language, count, options.seed)
                write(folder.with_name(f"{language}.jsonl.gz"), found)
                print(f"{split} {language}: {len(found)} holes", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
