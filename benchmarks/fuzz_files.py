"""Odd files of a workspace, targets of benchmarks/fuzz.py: ignore files, texts, and whole trees that change
while they are read.

The code of the reader process is called as that process calls it; some trees, and a folder with a hundred
thousand files, go through the process itself. Nothing may raise or take long, and each scan has to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import odd_files
from benchmarks.fuzz_inputs import Failed
from lsp_server.config.file_filter import Ignored, Rules, readable
from lsp_server.context import index_process, outline
from lsp_server.context.index_client import IndexClient
from lsp_server.context.index_process import Answer, Gone, Scan, Scanned
from lsp_server.context.outline import Outline
from lsp_server.text.languages import by_id, id_of_path

LANGUAGES = tuple({found for ending in odd_files.ENDINGS if (found := id_of_path(Path(f"a.{ending}")))})
ENTRIES = 40  # of a tree
SHARE = 40  # one of so many trees goes through the process
SCAN_S = 120.0  # until a scan has ended
CROWD = 100_000


class Folder:
    """A folder of its own, in memory where the system has such a place."""

    def __init__(self) -> None:
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self._made = tempfile.TemporaryDirectory(
            prefix="infill-fuzz-", dir=memory, ignore_cleanup_errors=True
        )
        self.path = Path(self._made.name)


class IgnoreFiles:
    """Tries one ignore file on a few paths."""

    def __init__(self) -> None:
        self._folder = Folder()
        self._root = self._folder.path
        (self._root / ".git").mkdir()
        names = ["a", "b.py", "src/a/b.py", "src/[a]/!x.py", "a b/é.py", "#/ü\\.py", "x" * 200 + ".py"]
        self._paths = [self._root / name for name in names]

    def __call__(self, rng: random.Random) -> int:
        odd_files.write(self._root / ".gitignore", odd_files.ignore_file(rng))
        ignored = Ignored()
        for path in self._paths:
            ignored.file(path)
            ignored.folder(path)
        if not all(line.isprintable() for line in ignored.faults):
            raise Failed(f"a line that no person can read: {ignored.faults}")
        return 1


class FileTexts:
    """Tries one file."""

    def __init__(self) -> None:
        self._folder = Folder()

    def __call__(self, rng: random.Random) -> int:
        path = self._folder.path / f"a.{rng.choice(odd_files.ENDINGS)}"
        odd_files.write(path, odd_files.text(rng))
        if (text := readable(path)) is not None:
            found = outline.of(str(path), id_of_path(path), text, whole=True, stamp=(1, 1))
            _check(found, text)
        path.unlink()
        return 1


class Trees:
    """Tries one tree; counts its files and folders."""

    def __call__(self, rng: random.Random) -> int:
        folder = Folder()
        paths = odd_files.grow(rng, os.fsencode(folder.path), ENTRIES)
        here = str(folder.path)
        scan = Scan(Rules(languages=LANGUAGES, roots=(here,)), folders=(here, here + "/a"))
        try:
            if rng.randrange(SHARE) == 0:
                asyncio.run(_through_the_process(scan, rng, paths))
            else:
                _check_scan(list(_disturbed(index_process.answers(scan), rng, paths)), here)
        finally:
            for path in paths:  # what may not be read cannot be removed
                with contextlib.suppress(OSError):
                    if not os.path.islink(path):
                        os.chmod(path, 0o700)
            shutil.rmtree(folder.path, ignore_errors=True)
        return max(1, len(paths))


class Crowd:
    """Tries one folder with a hundred thousand files, through the process."""

    def __init__(self, files: int = CROWD) -> None:
        self._files = files

    def __call__(self, rng: random.Random) -> int:
        folder = Folder()
        for number in range(self._files):
            odd_files.write(folder.path / f"f{number}.py", b"x = 1\n")
        here = str(folder.path)
        scan = Scan(Rules(languages=LANGUAGES, roots=(here,)), folders=(here,))
        asyncio.run(_through_the_process(scan, rng, []))
        return self._files


def _disturbed(answers: Iterator[Answer], rng: random.Random, paths: list[bytes]) -> Iterator[Answer]:
    for answer in answers:
        odd_files.disturb(rng, paths)
        yield answer


def _check_scan(answers: list[Answer], root: str) -> None:
    if [isinstance(each, Scanned) for each in answers] != [False] * (len(answers) - 1) + [True]:
        raise Failed("a scan without one end")
    for each in answers:
        if isinstance(each, Scanned) and (faults := [line for line in each.skipped if "parsed" in line]):
            raise Failed(f"a text ended its outline: {faults[0]}")
        for key in each.keys if isinstance(each, Gone) else [each.key] if isinstance(each, Outline) else []:
            if not os.path.normpath(key).startswith(root) or not key.isprintable():
                raise Failed(f"{key!r} was read")


def _check(found: Outline, text: str) -> None:
    """An outline as large as the text, with as many lines, that can be sent."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    if found.text is None or found.text.count("\n") != lines:
        raise Failed("lines without their numbers")
    index_process.msgspec.json.encode(found)
    if (language := by_id(found.language)) and found.language != language.id:
        raise Failed("an alias for a language")


async def _through_the_process(scan: Scan, rng: random.Random, paths: list[bytes]) -> None:
    """The process has to answer to the end, without having died."""
    answers, ended = list[Answer](), asyncio.Event()

    def received(answer: Answer) -> None:
        odd_files.disturb(rng, paths)
        answers.append(answer)
        if isinstance(answer, Scanned):
            ended.set()

    def lost() -> None:
        nonlocal died
        died = True
        ended.set()

    died = False
    client = IndexClient(received, lost)
    client.ask(scan)
    try:
        await asyncio.wait_for(ended.wait(), SCAN_S)
    except TimeoutError:
        raise Failed("a scan does not end") from None
    finally:
        await client.close()
    if died:
        raise Failed("the reader process has died")
    _check_scan(answers, scan.rules.roots[0])
