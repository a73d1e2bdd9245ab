from __future__ import annotations

import pytest

from lsp_server.infilling.canvas import Budget, Canvas, build
from lsp_server.infilling.hole import find, placeholders
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Refusal, Snapshot
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Parses, parse
from model_runtime.protocol import Fixed, Slot
from tests.support.listings import listing


def canvas(marked: str, budget: Budget | None = None) -> Canvas:
    offset = marked.index("|")
    snapshot = Snapshot("file:///a.py", 1, "python", marked.replace("|", "", 1))
    hole = find(snapshot, Parses().around(snapshot, offset), offset, 8, invoked=True)
    assert not isinstance(hole, Refusal)
    return build(snapshot, [hole], budget)


def check(marked: str, prefix: str, head: str, suffix: str) -> None:
    pieces = (Fixed(head), Slot(8), Fixed(suffix))
    assert canvas(marked) == Canvas(prefix, tuple(piece for piece in pieces if piece != Fixed("")))


@pytest.mark.parametrize(
    ("marked", "prefix", "head", "suffix"),
    [
        ("|", "", "", "\n"),
        ("a = |", "", "a = ", "\n"),
        ("a\nb = |\nc\n", "a\n", "b = ", "\nc\n"),
        ("a\nf(|)\nc", "a\n", "f(", ")\nc"),
        ("a\n\n  |   \nc\n", "a\n\n", "  ", "\nc\n"),  # trailing blanks are not shown
        ("a\r\nb = |\r\nc\rd\r\n", "a\n", "b = ", "\nc\nd\n"),
        ("é\n'😀' + |\n注", "é\n", "'😀' + ", "\n注"),
        ("\ud83d\nx = |", "\ufffd\n", "x = ", "\n"),
    ],
)
def test_pieces(marked: str, prefix: str, head: str, suffix: str) -> None:
    check(marked, prefix, head, suffix)


LINES = [f"line {number:04}\n" for number in range(400)]
SMALL = Budget(prefix_chars=1_000, prefix_block=32, head_chars=10, suffix_lines=3, suffix_chars=40)


def test_the_prefix_is_cut_at_a_block_and_stays_there() -> None:
    starts = []
    for count in range(200, 264):
        prefix = canvas("".join(LINES[:count]) + "x|", SMALL).prefix
        assert len(prefix) <= SMALL.prefix_chars
        assert prefix.endswith(LINES[count - 1])
        starts.append(int(prefix[5:9]))
    assert all(start % 32 == 0 for start in starts)
    assert len(set(starts)) <= 3  # in 64 new lines


def test_typing_leaves_the_prefix_alone() -> None:
    before = "".join(LINES[:200])
    assert len({canvas(before + "x = foo(bar"[:length] + "|", SMALL).prefix for length in range(12)}) == 1


def test_lines_longer_than_the_budget() -> None:
    long = "z" * 5_000
    shown = canvas(f"{long}\nshort\n{long}|{long}\nnext\n", SMALL)
    assert shown.prefix == "short\n"
    assert shown.pieces == (Fixed("z" * 10), Slot(8), Fixed("z" * 40))


def test_several_holes_share_a_canvas() -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", "a\r\ndef f(): pass\r\nx = <fill>\r\nb\r\n")
    python = by_id("python")
    assert python
    holes = placeholders(snapshot, parse(snapshot.text, python), 8)
    assert build(snapshot, holes) == Canvas(
        "a\n",
        (Fixed("def f():\n    "), Slot(8), Fixed("\nx = "), Slot(8), Fixed("\nb\n")),
    )


def test_typing_shares_the_prefix() -> None:
    """Lines typed in the middle of 2,000 others, with their line ends."""
    text, shared, total, last = listing(80_000), 0, 0, ""
    at = text.index("\n", len(text) // 2) + 1
    typed = "".join(f"    value_{n} = self.count(item_{n}, {n})\n" for n in range(40))
    for length in range(len(typed)):
        whole = text[:at] + typed[:length] + "\n" + text[at:]
        document = Buffer("a", length, "python", whole)
        snapshot = document.snapshot(whole.count("\n", 0, at + length))
        offset = snapshot.text.index(typed[:length] + "\n" + text[at : at + 200]) + length
        hole = find(snapshot, None, offset, 8, invoked=True)
        assert not isinstance(hole, Refusal)
        prefix = build(snapshot, [hole]).prefix
        if last:
            pairs = enumerate(zip(last, prefix, strict=False))
            shared += next((n for n, (old, new) in pairs if old != new), len(last))
            total += len(prefix)
        last = prefix
    assert shared / total > 0.95, shared / total


@pytest.mark.parametrize(
    ("following", "suffix"),
    [
        ("\na\nb\nc\nd\n", "\na\nb\n"),  # three lines, with the rest of the cursor's
        ("\n" + "a" * 20 + "\n" + "b" * 30 + "\n", "\n" + "a" * 20 + "\n"),  # whole lines of 40 characters
        ("\r\n" * 60, "\n\n\n"),
        ("\na", "\na"),
    ],
)
def test_the_suffix_is_cut_at_a_line(following: str, suffix: str) -> None:
    assert canvas("x = |" + following, SMALL).pieces[-1] == Fixed(suffix)
