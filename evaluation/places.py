"""Places to be asked about, read from files of one JSON object a line.

Three formats: HumanEval-Infilling (with a test to run), our own holes (`benchmarks/held_out.py`), and places
without an expected text, where a suggestion is wanted or not (`benchmarks/quiet.py`). Knows text only.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A hole of more than one line is not found at a cursor: the user names it ("fill this").
NAMED = frozenset({"lines", "HumanEval random-span", "HumanEval multi-line"})
_HUMAN_EVAL = {"SingleLine": "single-line", "RandomSpan": "random-span", "MultiLine": "multi-line"}


class DataError(Exception):
    """A file that cannot be used; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a text. `middle` is the text that is missing there, None where none is."""

    kind: str
    name: str  # where it is from
    before: str
    after: str
    middle: str | None
    language: str = "python"
    wanted: bool = True  # False: a suggestion here would be a nuisance
    test: str = ""  # program text that raises unless the text before it is right
    context: tuple[str, ...] = ()  # of the project's other files, as the server would send it
    project: Path | None = None  # a folder with the project's files, if they are at hand
    path: str = ""  # of the text's file in that folder

    @property
    def named(self) -> bool:
        return self.kind in NAMED


def read(path: Path) -> list[Place]:
    """Raises DataError."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; name an existing file") from None
    except (EOFError, UnicodeDecodeError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        raise DataError(f"{path} is damaged ({error}); copy it again") from None
    places = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                places.append(_place(json.loads(line), f"{path.name}:{number}"))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}, line {number}: not a hole of any known format ({error})") from None
    if not places:
        raise DataError(f"{path} holds no holes")
    return places


def chosen(places: Iterable[Place], limit: int | None, seed: int) -> list[Place]:
    """At most `limit` of each kind, drawn at random, in the order they came."""
    kinds: dict[str, list[Place]] = {}
    for place in places:
        kinds.setdefault(place.kind, []).append(place)
    found = []
    for kind, members in kinds.items():
        count = len(members) if limit is None else min(limit, len(members))
        drawn = random.Random(f"{seed}/{kind}").sample(range(len(members)), count)
        found += [members[i] for i in sorted(drawn)]
    return found


def _place(record: dict[str, Any], name: str) -> Place:
    if "canonical_solution" in record:
        return _human_eval(record)
    where = f"{record['project']}/{record['path']}"
    before, after = _text(record["before"]), _text(record["after"])
    if "category" in record:
        wanted = record.get("wanted", False)
        return Place(record["category"], where, before, after, None, record["language"], wanted)
    return Place(
        record["kind"],
        where,
        before,
        after,
        _text(record["middle"]),
        record.get("language", "python"),
        context=tuple(_text(piece) for piece in record.get("context", ())),
    )


def _human_eval(record: dict[str, Any]) -> Place:
    family = record["task_id"].partition("Infilling")[0]
    kind = f"HumanEval {_HUMAN_EVAL.get(family, family)}"
    test = f"{record['test']}\ncheck({record['entry_point']})\n"
    before, after, middle = (_text(record[name]) for name in ("prompt", "suffix", "canonical_solution"))
    if family != "RandomSpan" and middle.endswith("\n"):
        # Whole lines are missing, and the text after begins with the next one: whoever types there has an
        # empty line before it.
        middle, after = middle.removesuffix("\n"), "\n" + after
    return Place(kind, record["task_id"], before, after, middle, test=test)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value
