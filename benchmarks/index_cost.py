"""What the index of a workspace costs: processor time, memory, the longest slice, and composing with it.

    python -m benchmarks.index_cost FOLDER... [--mb N] [--holes N] [--json FILE]

Does what the reader process and the worker do: a process of its own reads each file, outlines it and takes
secrets out; this one gives it to the library, which indexes in slices as it does between two requests. All
source files below the folders count as one workspace of one language, up to `--mb` megabytes. Memory is the
peak of this process's resident set above what it held before the first file, the modules loaded and warmed
up; the text of one file at a time is in it. All times are processor time, so that a busy machine measures
the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from lsp_server.context import outline
from lsp_server.text.languages import by_id, id_of_path
from model_runtime.daemon.scheduler import SLICE_S
from model_runtime.protocol import Texts
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.ngram import NgramModel

MB = 1e6
LARGEST = 400_000  # bytes of a file
CANVAS = 24_000  # characters that a request has on either side
UNIT = 1024 if sys.platform != "darwin" else 1  # of ru_maxrss, in bytes
WARM_UP = "def area(width, height):\n    return width * height\n"


def source_files(folders: Sequence[Path], most: float) -> Iterator[Path]:
    """Source files that are not too large, until they have `most` bytes."""
    total = 0.0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            known = by_id(id_of_path(path)) is not None and path.is_file()
            if known and 0 < (size := path.stat().st_size) <= LARGEST:
                total += size
                yield path
                if total >= most:
                    return


def cleaned(path: Path) -> tuple[str, float]:
    """A file's text without secrets, and the seconds of processor time that it took, its outline included."""
    text = read(path)
    started = time.process_time()
    found = outline.of(str(path), id_of_path(path), text, whole=True).text or ""
    return found, time.process_time() - started


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def peak() -> int:
    """The most bytes that have been resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


class Worker:
    """A library, and what indexing took."""

    def __init__(self) -> None:
        self.library = Library()
        self.cpu_s = 0.0
        self.slices_s: list[float] = []

    def index(self, path: str, text: str) -> None:
        self.library.put(1, Texts("workspace", "any", {path: text}))
        started = time.process_time()
        while True:
            began = time.thread_time()
            more = self.library.work(SLICE_S)
            self.slices_s.append(time.thread_time() - began)
            if not more:
                break
        self.cpu_s += time.process_time() - started

    def compose_ms(self, before: str, after: str) -> float:
        corpus = self.library.corpus("workspace", "any")
        began = time.thread_time()
        model = NgramModel(before[-CANVAS:], after[:CANVAS], corpus)
        for each in model.compose():
            model.scored(each.text)
        return (time.thread_time() - began) * 1000


def measured(folders: Sequence[Path], most: float, holes: int) -> dict[str, float]:
    warm = Worker()
    warm.index("warm-up", WARM_UP)
    warm.compose_ms(WARM_UP, "\n")
    worker, read_s, size = Worker(), 0.0, 0
    files = list(source_files(folders, most))
    if not files:
        raise SystemExit("no source files there")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as reader:
        reader.submit(cleaned, files[0]).result()  # loads what it needs
        before = psutil.Process().memory_info().rss
        for path in files:
            text, seconds = reader.submit(cleaned, path).result()
            size += len(text)
            read_s += seconds
            worker.index(str(path), text)
    grown = (max(peak(), before) - before) / MB
    settled = (psutil.Process().memory_info().rss - before) / MB
    rng, times = random.Random(1), list[float]()
    while len(times) < holes:
        text = read(rng.choice(files))
        if len(lines := text.split("\n")) > 10:
            at = sum(len(line) + 1 for line in lines[: rng.randrange(len(lines))])
            at += rng.randrange(40)
            times.append(worker.compose_ms(text[:at], text[at:].partition("\n")[2]))
    ms = np.asarray(worker.slices_s) * 1000
    return {
        "files": len(files),
        "text_mb": size / MB,
        "read_cpu_s": read_s,
        "index_cpu_s": worker.cpu_s,
        "peak_mb": grown,
        "settled_mb": settled,
        "slice_p99_ms": float(np.percentile(ms, 99)),
        "slices_over_10_ms": int((ms > 10).sum()),
        "slice_longest_ms": float(ms.max()),
        "compose_p50_ms": statistics.median(times) if times else 0.0,
        "composed_mb": (psutil.Process().memory_info().rss - before) / MB,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_cost")
    parser.add_argument("folders", type=Path, nargs="+", help="projects, or folders of projects")
    parser.add_argument("--mb", type=float, default=20.0, help="megabytes of text, at most")
    parser.add_argument("--holes", type=int, default=100, help="places where texts are composed and scored")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = {
        name: round(value, 2) for name, value in measured(args.folders, args.mb * MB, args.holes).items()
    }
    for name, value in found.items():
        print(f"{name:>16}  {value:8.2f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
