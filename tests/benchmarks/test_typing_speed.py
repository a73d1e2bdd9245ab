"""What the typing benchmark counts, with a server that answers as scripted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from benchmarks.holes import Hole
from benchmarks.typing_speed import EDITORS, Count, Typist, right


@pytest.mark.parametrize(
    ("shown", "rest", "expected"),
    [
        ("oo(bar)", "oo(bar)", True),
        ("oo", "oo", True),  # all of it, however short
        ("oo(bar", "oo(bar)", True),
        ("oo(b", "oo(bar)", False),  # ends inside a word
        ("oo(", "oo(bar)", True),
        ("oo", "oo(bar)", False),  # a character or two
        ("oo(bar))", "oo(bar)", False),
        ("", "oo", False),
    ],
)
def test_what_is_right(shown: str, rest: str, expected: bool) -> None:
    assert right(shown, rest) is expected


class Scripted:
    """Answers at once with what the script has for the text typed so far, else with nothing."""

    def __init__(self, **script: str) -> None:
        self.script, self.typed, self.cancelled = script, "", 0

    def key(self, line: int, column: int, text: str) -> None:
        assert (line, column) == (1, 4 + len(self.typed))
        self.typed += text

    def ask(self, line: int, column: int) -> tuple[int, asyncio.Future[Any]]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        text = self.script.get(self.typed)
        answer.set_result({"items": [{"insertText": text}] if text else []})
        return 1, answer

    def cancel(self, id: int) -> None:
        self.cancelled += 1


async def typed(server: Any, name: str | None) -> Count:
    hole = Hole("whole-line", "python", "p", "a.py", "x = 1\n    ", "value", "\n")
    count = Count()
    await Typist(server, hole, count, EDITORS[name] if name else None).type(0.2)
    return count


async def test_what_is_counted_at_rest() -> None:
    count = await typed(Scripted(v="alue", va="lid", val="id", valu="e"), None)
    assert count == Count(keys=4, right=2, changed=1, wrong=1, lines=1)


@pytest.mark.parametrize(("name", "cancelled"), [("vscode", True), ("neovim", False)])
async def test_an_editor_that_asks_as_it_does(name: str, cancelled: bool) -> None:
    server = Scripted(valu="e")
    count = await typed(server, name)
    assert (count.keys, count.lines, count.changed, count.wrong) == (4, 1, 0, 0)
    assert bool(server.cancelled) is cancelled
