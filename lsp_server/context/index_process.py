"""The reader process, a child of the server: reads files, parses text and removes secrets.

Runs as `python -m lsp_server.context.index_process`. Parsing and looking for secrets hold Python's lock for
milliseconds a file, too long for a server that answers keystrokes. Each message is one line of JSON, both
ways. The exclusion rules come with every request and are applied here, so that nothing they forbid leaves
this process. The process ends when its input does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import structs

from lsp_server.config.file_filter import MAX_BYTES, SKIPPED_FOLDERS, Ignored, Rules, by_name, readable
from lsp_server.context.outline import Outline
from lsp_server.text.languages import by_id, canonical, id_of_path

from . import outline

# Limits of one scan.
MAX_FILES = 5_000
MAX_SCAN_BYTES = 60_000_000
MAX_SCAN_S = 120.0  # of processor time
MAX_TEXT = 400_000  # bytes of whole files, for each folder
MAX_SKIPPED = 20  # lines about what was skipped


class Scan(msgspec.Struct, frozen=True, tag="scan"):
    """Outline the workspace's files, with their text, except those in `known` whose stamp is unchanged. Files
    in `folders` come first, and again unless `texts` says that the client has kept their text; so do those
    in `again`. A scan that is not `everywhere` looks at these two only, and has no end."""

    rules: Rules
    known: Mapping[str, tuple[int, int]] = {}  # path -> stamp, as in Outline
    folders: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    again: frozenset[str] = frozenset()
    everywhere: bool = True


class Look(msgspec.Struct, frozen=True, tag="look"):
    """Outline an open document, or other text, whose path is empty."""

    rules: Rules
    key: str
    path: str
    language: str
    text: str


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Of these the client must know nothing (any more)."""

    keys: tuple[str, ...]


class Scanned(msgspec.Struct, frozen=True, tag="scanned"):
    """A scan has ended."""

    files: int
    whole: bool  # False: a limit was reached before all files were seen
    skipped: tuple[str, ...] = ()  # what could not be read or understood, a line for a person for each


Request = Scan | Look
Answer = Outline | Gone | Scanned


def answers(request: Request) -> Iterator[Answer]:
    """One answer to a Look; to a Scan one for each file that has changed or gone, then Scanned."""
    return iter((_look(request),)) if isinstance(request, Look) else _scan(request)


def _look(request: Look) -> Outline | Gone:
    path, exclude = request.path, request.rules.at(request.path or request.key).exclude
    unfit = len(request.text) > MAX_BYTES or "\0" in request.text
    named = by_name(request.key, exclude) or (path and by_name(os.path.realpath(path), exclude))
    if unfit or named or (path and Ignored().file(Path(path))):
        return Gone((request.key,))
    return _outline(request.key, request.language, request.text, (0, 0))


def _scan(request: Scan) -> Iterator[Answer]:
    seen, total, whole = set[str](), 0, True
    texts, ignored = frozenset(request.texts), Ignored()
    skipped, deadline = ignored.faults, time.process_time() + MAX_SCAN_S
    for path, wanted in _files(request, ignored):
        if str(path) in seen:
            continue
        if len(seen) >= MAX_FILES or total > MAX_SCAN_BYTES or time.process_time() > deadline:
            whole = False
            break
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            stamp = (path.stat().st_mtime_ns, size)
            seen.add(str(path))
            known = tuple(request.known.get(str(path), ())) == stamp
            if known and str(path) not in request.again and (not wanted or str(path) in texts):
                continue
            if (text := readable(path)) is None:
                if not os.access(path, os.R_OK):
                    skipped.append(f"{path} cannot be read")
                yield Gone((str(path),))
                continue
            total += size
            found = _outline(str(path), id_of_path(path), text, stamp)
            if isinstance(found, Gone):
                skipped.append(f"{path} cannot be parsed")
            yield structs.replace(found, kept=wanted) if isinstance(found, Outline) else found
    gone = (request.known.keys() if request.everywhere else request.again) - seen
    if whole and gone:
        yield Gone(tuple(sorted(gone)))
    if request.everywhere:
        yield Scanned(len(seen), whole, tuple(dict.fromkeys(map(_printable, skipped)))[:MAX_SKIPPED])


def _printable(line: str) -> str:
    """A line that can be sent and shown; names of files may hold anything, also what is no UTF-8."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _outline(key: str, language: str, text: str, stamp: tuple[int, int]) -> Outline | Gone:
    """The outline of a text, or Gone where making it fails: one odd file must not end this process."""
    try:
        return outline.of(key, language, text, whole=True, stamp=stamp)
    except Exception as error:
        print(f"{key}: {type(error).__name__}", file=sys.stderr)  # its message may quote the text
        return Gone((key,))


def _files(request: Scan, ignored: Ignored) -> Iterator[tuple[Path, bool]]:
    """Files that may be read, and whether their text is wanted. Some files come twice. What vanishes
    meanwhile is left out, and so is what cannot be listed; that is added to the faults of `ignored`."""
    rules = request.rules
    roots = [Path(root) for root in rules.roots]

    def may_read(path: Path) -> bool:
        language, here = by_id(id_of_path(path)), rules.at(str(path))
        return (
            str(path).isprintable()  # it is sent as UTF-8, and stands in a comment line
            and language is not None
            and language.id in canonical(here.languages)
            and not by_name(str(path), here.exclude)
            and not ignored.file(path)
        )

    def unlisted(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            ignored.faults.append(f"{error.filename} cannot be listed: {error.strerror}")

    for folder in map(Path, request.folders):
        if not _skipped(folder, roots, ignored):
            room = MAX_TEXT
            for name, size in _listed(folder, unlisted):
                if may_read(path := folder / name):
                    room -= size
                    yield path, room >= 0
    if not request.everywhere:
        for path in map(Path, sorted(request.again)):
            if os.path.isfile(path) and may_read(path) and not _skipped(path.parent, roots, ignored):
                yield path, False
        return
    for root in roots:
        for at, inner, names in os.walk(root, onerror=unlisted):
            inner[:] = sorted(name for name in inner if not _skips(Path(at, name), ignored))
            yield from ((path, False) for name in sorted(names) if may_read(path := Path(at, name)))


def _listed(folder: Path, failed: Callable[[OSError], None]) -> list[tuple[str, int]]:
    """Names and sizes of a folder's files, by name."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_file():
                        found.append((entry.name, entry.stat().st_size))
    except OSError as error:
        failed(error)
    return sorted(found)


def _skipped(folder: Path, roots: list[Path], ignored: Ignored) -> bool:
    """Whether a walk from the roots would leave this folder out."""
    root = next((root for root in roots if folder.is_relative_to(root)), None)
    try:
        if root is None or not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve()):
            return True
    except (OSError, RuntimeError):  # it may not be looked into, or links lead in a circle
        return True
    between = (each for each in (folder, *folder.parents) if each.is_relative_to(root) and each != root)
    return any(_skips(each, ignored) for each in between)


def _skips(folder: Path, ignored: Ignored) -> bool:
    name = folder.name
    return (
        name.startswith(".")
        or name in SKIPPED_FOLDERS
        or os.path.lexists(folder / "pyvenv.cfg")
        or ignored.folder(folder)
    )


def main() -> None:
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)  # the editor's own work goes first
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    decode, scan = msgspec.json.Decoder(Request).decode, iter(())
    while True:
        answer = None if not requests.empty() else next(scan, None)
        if answer is None:  # no scan goes on, or a request has come, which does not wait for the scan's end
            if not (line := requests.get()):
                return
            request = decode(line)
            if isinstance(request, Scan):
                # One of everything replaces an unfinished one: its `known` has what that one found.
                scan = _scan(request) if request.everywhere else itertools.chain(_scan(request), scan)
                continue
            answer = _look(request)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _listen(requests: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    requests.put(b"")  # the end


if __name__ == "__main__":
    main()
