"""Chains of edits: how they are played, and what counts as what the author did."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from evaluation import next_edits
from evaluation.next_edits import Chain, judge, measure, played, read, remaining, table
from evaluation.places import DataError
from lsp_server.text.document import Edit, Span

TEXT = "import a\n\n\ndef f(x):\n    a.debug(x)\n    a.debug(1)\n    b.debug(2)\n    return 1\n"
HUNKS = (
    (0, ("import a",), ("import log",)),
    (4, ("    a.debug(x)",), ("    log.debug(x, y)", "    more()")),
    (7, ("    return 1",), ()),
    (8, (), ("", "END = 1")),
)
CHAIN = Chain("o/n", "a.py", "python", TEXT, HUNKS)


def test_places_are_typed_one_after_another() -> None:
    document, history, cursor = played(CHAIN, 2)
    assert document.text == TEXT.replace("import a", "import log").replace(
        "    a.debug(x)", "    log.debug(x, y)\n    more()"
    )
    assert [each.line for each in history.recent()] == [0, 4]
    assert cursor == (5, len("    more()"))
    assert remaining(CHAIN, 2) == [(8, ("    return 1",), ()), (9, (), ("", "END = 1"))]
    assert played(CHAIN, 4)[0].text.endswith("    b.debug(2)\n\nEND = 1\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a.debug(x)", "log.debug(x, y)\n    more()", 2),
        ("a.debug(x)", "log.debug(x)", 1),  # that, and more
        ("a.debug(x)", "log.debug(z)", 0),  # and something else
        ("a.debug(1)", "log.debug(1)", 0),  # a line that the author left alone
        ("b.debug(2)", "log.debug(2)", 0),
        ("    return 1", "    return 2", 0),
    ],
)
def test_what_the_author_did(old: str, new: str, expected: int) -> None:
    snapshot = played(CHAIN, 1)[0].snapshot(0)
    start = snapshot.text.index(old)
    edit = Edit(snapshot.uri, 1, Span(start, start + len(old)), new, 1.0, 0, 0.0, ("rename",))
    assert judge(snapshot, edit, remaining(CHAIN, 1)) == expected


def test_a_positive_and_a_negative_of_each_chain(tmp_path: Path) -> None:
    renamed = Chain("o/n", "b.py", "python", "def f(a):\n    g(a)\n\n    return a\n", (
        (0, ("def f(a):",), ("def f(it):",)), (1, ("    g(a)",), ("    g(it)",)),
        (3, ("    return a",), ("    return it",)),
    ))  # fmt: skip
    outcomes = measure([renamed, CHAIN])
    assert [(each.lane, each.wanted) for each in outcomes] == [
        ("rename", True),
        ("", False),
        ("", True),
        ("", False),
    ] or [each.wanted for each in outcomes] == [True, False, True, False]
    figures, text = table(outcomes)
    everything = figures["rows"]["all"]
    assert (everything["positives"], everything["negatives"]) == (2, 2)
    assert outcomes[0].useful
    assert outcomes[0].whole
    assert everything["silent"] == 2
    assert figures["lanes"]["rename"]["useful"] == 1
    assert "| python | 2 |" in text


def test_reading(tmp_path: Path) -> None:
    raw = {"project": "o/n", "path": "a.py", "language": "python", "text": TEXT, "hunks": HUNKS}
    (path := tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(raw).encode()))
    assert read(path) == [CHAIN]
    path.write_text('{"text": 1}\n')
    with pytest.raises(DataError, match="no chains"):
        read(path)
    with pytest.raises(DataError, match="no chains"):
        read(tmp_path / "none")


def test_a_pause_between_two_places_is_long_enough() -> None:
    from lsp_server.next_edit.history import PAUSE_S

    assert next_edits.PAUSE_S > PAUSE_S
