"""What is measured: places in real Python text, and settings that differ from the base in one thing each.

The text is that of the running Python's standard library, the same on every run of one version. Knows text
and the tokenizer, not the model.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

MODULES = ("argparse", "dataclasses", "shutil", "textwrap")
SHORTEST_LINE = 24  # characters of text in a line that a hole starts in
COLD, WARM, STOCK, BEST = "engine, cold", "engine, warm", "generate", "generate, best options"
FEWEST = "generate, fewest steps"  # with the best options, and no more steps than the engine takes
KEYSTROKES = 4  # characters typed at one place, one request after each


class Codec(Protocol):
    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Setting:
    """Sizes in tokens. `prefix` counts the text before the hole's line, beginning-of-text included."""

    prefix: int = 1024
    hole: int = 32
    candidates: int = 1


BASE = Setting()
VARIED: dict[str, tuple[int, ...]] = {
    "hole": (8, 32, 128),
    "prefix": (256, 1024, 4096),
    "candidates": (1, 2, 4, 8),
}


def series(variable: str) -> list[Setting]:
    """The base setting with this variable at each of its values."""
    return [replace(BASE, **{variable: value}) for value in VARIED[variable]]


def settings() -> list[Setting]:
    """All series, the base first, each setting once."""
    return list(dict.fromkeys([BASE, *(one for variable in VARIED for one in series(variable))]))


@dataclass(frozen=True)
class Place:
    """A cursor and what is typed there: before keystroke k, the line's text is `line[: start + k]`."""

    prefix: str  # whole lines
    line: str
    start: int
    after: str  # from the hole's end on

    def head(self, keystroke: int) -> str:
        return self.line[: self.start + keystroke]


def source_text() -> str:
    paths = [
        Path(spec.origin) for name in MODULES if (spec := importlib.util.find_spec(name)) and spec.origin
    ]
    return "\n".join(path.read_text("utf-8") for path in paths)


def places(codec: Codec, setting: Setting, count: int, seed: int = 0) -> Iterator[Place]:
    """`count` places with at most `setting.prefix` tokens before them, the same for the same seed."""
    lines = source_text().splitlines(keepends=True)
    sizes = [len(codec.encode(line)) for line in lines]
    room = max(VARIED["prefix"])
    first = next((i for i in range(len(lines)) if sum(sizes[:i]) >= room), len(lines) // 2)
    usable = [i for i in range(first, len(lines) - 60) if len(lines[i].strip()) >= SHORTEST_LINE]
    rng = random.Random(seed)
    for _ in range(count):
        yield _place(codec, setting, lines, sizes, rng.choice(usable))


def _place(codec: Codec, setting: Setting, lines: Sequence[str], sizes: Sequence[int], at: int) -> Place:
    line = lines[at]
    start = len(line) - len(line.lstrip()) + len(line.strip()) // 3
    first, taken = at, 1  # beginning of text
    while first > 0 and taken + sizes[first - 1] <= setting.prefix:
        first -= 1
        taken += sizes[first]
    rest = line[start:] + "".join(lines[at + 1 : at + 60])
    removed = codec.decode(codec.encode(rest)[: setting.hole])
    kept = max(len(removed), KEYSTROKES + 1)
    return Place("".join(lines[first:at]), line, start, rest[kept:])
