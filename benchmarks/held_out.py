"""Cut the test holes: a file for `infill-ls eval` from the projects that training held out.

    python -m benchmarks.held_out --out FILE [--dev] [--corpus FILE] [--count N] [--seed N]
                                  [--before N] [--after N]

Each hole comes with what the server would send of the project's other files: these are written to a folder,
the document with the hole is opened in a session, and the session's index process reads the rest. The same
corpus and arguments give the same holes. `benchmarks/data/held-out.jsonl.gz` was made with `--count 500
--before 6000 --after 2000`. `--dev` cuts from the projects that the calibration is fitted on.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from lsp_server.context import document_tracker
from lsp_server.session.session import Session
from lsp_server.text.syntax import Parses
from model_runtime.training import calibrate, corpus, held_out
from model_runtime.training.__main__ import default_folder
from model_runtime.training.corpus import Document
from model_runtime.training.held_out import HeldHole
from model_runtime.training.source import CORPUS

WAIT_S = 30.0  # for the index process


async def with_context(holes: Sequence[HeldHole], documents: Sequence[Document]) -> list[HeldHole]:
    """The holes with pieces of their projects' other files, in the same order."""
    found: dict[int, HeldHole] = {}
    numbered = sorted(enumerate(holes), key=lambda each: (each[1].project, each[0]))
    with tempfile.TemporaryDirectory(prefix="held-out-") as folder:
        _lay_out(documents, Path(folder))
        bar = tqdm(total=len(holes))
        for project, its in groupby(numbered, key=lambda each: each[1].project):
            session = Session()
            session.use_folders([Path(folder, project).as_uri()])
            for number, hole in its:
                path = Path(folder, project, hole.path)
                found[number] = replace(hole, context=await _seen(session, path.as_uri(), hole))
                bar.update()
            await session.shut_down()
        bar.close()
    return [found[number] for number in range(len(holes))]


def _lay_out(documents: Sequence[Document], folder: Path) -> None:
    for document in documents:
        path = folder / document.project / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.text, encoding="utf-8")


async def _seen(session: Session, uri: str, hole: HeldHole) -> tuple[str, ...]:
    """What the server would send with a request at the hole."""
    session.open(uri, 1, "python", hole.before + hole.after)
    line = hole.before.count("\n")
    session.tracker.refresh()
    await _settled(session)
    snapshot = session.snapshot(uri, line)
    assert snapshot
    at = len(hole.before) - len("".join(_lines(hole.before)[: snapshot.first_line]))
    pieces = session.context.gather(snapshot, at, Parses().around(snapshot, at))
    session.close(uri)
    return pieces


async def _settled(session: Session) -> None:
    """Wait until the index process brings nothing new any more."""
    until, before, quiet = asyncio.get_running_loop().time() + WAIT_S, -1, 0
    while quiet < 3 and asyncio.get_running_loop().time() < until:
        session.tracker.refresh()
        await asyncio.sleep(0.1)
        now = session.tracker.index.generation
        quiet = quiet + 1 if now == before and session.tracker.index.known() else 0
        before = now


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _cut(documents: Sequence[Document], options: argparse.Namespace) -> Iterator[HeldHole]:
    return held_out.holes(documents, options.count, options.seed, options.before, options.after)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=default_folder() / CORPUS)
    parser.add_argument("--dev", action="store_true", help="from the projects of the calibration")
    parser.add_argument("--count", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--before", type=int, default=24_000, help="most characters before the hole")
    parser.add_argument("--after", type=int, default=24_000)
    options = parser.parse_args()
    if not options.corpus.exists():
        print(f"{options.corpus} is missing; `python -m model_runtime.training` makes it", file=sys.stderr)
        return 1
    dev, test = calibrate.split(corpus.load(options.corpus)[1])
    documents = dev if options.dev else test
    document_tracker.SOON_S = document_tracker.RESCAN_S = 0.05  # nobody types meanwhile
    holes = asyncio.run(with_context(list(_cut(documents, options)), documents))
    print(f"{held_out.write(options.out, holes)} holes, {options.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
