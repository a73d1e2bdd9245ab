"""Real edits, typed character by character through every language, with a model that writes the truth or
damages it. Whatever it writes: no exception, no wrong byte, nothing twice, nothing that parses worse."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lsp_server.infilling.hole import find
from lsp_server.infilling.validation import minimal, validate
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.languages import LANGUAGES, by_id, id_of_path
from lsp_server.text.lines import CLOSER_OF, line_at, open_brackets, unmatched
from lsp_server.text.syntax import Parses, parse
from model_runtime.protocol import Done
from tests.support.paths import DATA

FILES = sorted(DATA.iterdir())
EDITS = 12  # lines that are typed in each file


@dataclass(frozen=True)
class Answer:
    """What a model may have meant (`truth`, to the line's end) and what follows the cursor."""

    truth: str
    rest: str
    below: str
    indent: str


DAMAGES: list[tuple[str, Callable[[Answer], str]]] = [
    ("true", lambda it: it.truth),
    ("goes on", lambda it: it.truth + it.rest + "\n" + it.below),
    ("repeats the rest", lambda it: it.truth + it.rest),
    ("closes too much", lambda it: it.truth + ")"),
    ("closes far too much", lambda it: it.truth + "]})"),
    ("opens", lambda it: it.truth + "("),
    ("quotes", lambda it: it.truth + '"'),
    ("loops", lambda it: it.truth + " foo.bar" * 20),
    ("leaks", lambda it: it.truth + "<|file_sep|>import os\n" + it.below),
    ("indents wrongly", lambda it: "   " + it.truth + "\n\t " + it.below),
    ("dedents", lambda it: it.truth + "\nelse:\n}\nend\n" + it.below),
    ("stops early", lambda it: it.truth[: len(it.truth) // 2]),
    ("starts in the middle", lambda it: it.truth[len(it.truth) // 2 :]),
    ("repeats what is below", lambda it: it.below),
    ("babbles", lambda it: "= = (] }" + it.truth[::-1]),
    ("says nothing", lambda it: ""),
    ("control characters", lambda it: it.truth + "\x00\x1b[0m"),
]
EXACT = {"true", "goes on", "repeats the rest", "leaks"}


def lonely(text: str) -> int:
    """Brackets without partner, in strings and all: what is wrong in that before is so after, too."""
    closers, opened = unmatched(text)
    return len(closers) + len(opened)


def closed(line: str, at: int) -> tuple[str, str]:
    """What is still to be typed inside the brackets that an editor has closed, and what it closed."""
    opened, closers = open_brackets(line[:at]), ""
    if not opened or open_brackets(line):
        return line[at:], ""
    inside = next(
        (end for end in range(at, len(line)) if len(open_brackets(line[: end + 1])) < len(opened)), len(line)
    )
    closers = "".join(CLOSER_OF[bracket] for bracket in reversed(opened))
    return line[at:inside], closers


def lines_to_type(text: str, chosen: random.Random) -> list[int]:
    """Starts of lines that are not blank."""
    starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")]
    full = [start for start in starts if text[start : line_at(text, start).end].strip()]
    return sorted(chosen.sample(full, min(EDITS, len(full))))


def check(snapshot: Snapshot, offset: int, truth: str, name: str, written: str, parses: Parses) -> str:
    """The outcome in a word: `silent`, a refusal's reason, or `offered`."""
    syntax, language = parses.around(snapshot, offset), by_id(snapshot.language)
    assert syntax
    assert language
    hole = find(snapshot, syntax, offset, 64, invoked=name == "true")
    if isinstance(hole, Refusal):
        assert hole.message
        return f"silent: {hole.reason}"
    done = Done(1, (written,), confidence=0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)
    edit = validate(snapshot, syntax, hole, written, done)
    if isinstance(edit, Refusal):
        assert edit.message
        return edit.reason
    where = f"{snapshot.text[line_at(snapshot.text, offset).start : offset]}|{name}: {edit.text!r}"
    assert edit.span == hole.span, where
    text = snapshot.text[: edit.span.start] + edit.text + snapshot.text[edit.span.end :]
    assert edit.text.count("\n") < hole.lines, where
    after, before = parse(text, language), parse(snapshot.text, language)
    assert after
    assert before
    assert after.errors <= before.errors, where
    assert lonely(text) <= lonely(snapshot.text), where
    if name in EXACT and hole.lines == 1:
        assert truth.strip().startswith(edit.text.strip()), where
    for part in minimal(snapshot, edit):
        assert edit.span.start <= part.span.start <= part.span.end <= edit.span.end
    return "offered"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix[1:])
def test_typing(path: Path, line_end: str) -> None:
    whole, language = path.read_text(encoding="utf-8"), id_of_path(path)
    whole = whole.replace("\n", line_end)
    chosen, parses, version, seen = random.Random(path.name + line_end), Parses(), 0, Counter[str]()
    for start in lines_to_type(whole, chosen):
        end = line_at(whole, start).end
        line, below = whole[start:end], whole[end + len(line_end) :]
        closing = chosen.random() < 0.5  # the editor does
        for at in range(len(line) + 1):
            truth, closers = closed(line, at) if closing else (line[at:], "")
            text = whole[:start] + line[:at] + closers + whole[end:]
            version += 1
            snapshot = Snapshot("file:///typed", version, language, text)
            answer = Answer(truth, closers, "\n".join(below.split(line_end)[:3]), "")
            name, damage = DAMAGES[version % len(DAMAGES)]
            seen[check(snapshot, start + at, truth, name, damage(answer), parses)] += 1
        assert whole[:start] + line + whole[end:] == whole
    assert seen["offered"] > sum(seen.values()) / 20, seen


def test_enough_is_typed() -> None:
    typed = [len(lines_to_type(path.read_text("utf-8"), random.Random(0))) for path in FILES]
    assert sum(typed) >= 200
    assert {id_of_path(path) for path in FILES} == {language.id for language in LANGUAGES}


def applied(edits: tuple[Edit, ...], text: str) -> str:
    for edit in reversed(edits):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
