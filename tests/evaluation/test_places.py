"""What is read from files, and which of it is drawn."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from evaluation import __main__ as command
from evaluation import sandbox
from evaluation.places import DataError, chosen, read
from tests.evaluation.examples import HELD_OUT, judged, place
from tests.support.paths import ROOT

# As in issue 4, ../shared/eval; a worktree may lie deeper.
HUMAN_EVAL = [path for parent in ROOT.parents for path in sorted(parent.glob("shared/eval/HumanEval-*.gz"))]


def test_a_missing_line_leaves_an_empty_one(tmp_path: Path) -> None:
    """HumanEval-Infilling's single lines hold their line end; a cursor there stands on a line of its own."""
    lines = {"prompt": "def add(a, b):\n", "suffix": "    return total\n"}
    one = place(tmp_path, **lines, canonical_solution="    total = a + b\n")
    assert (one.before, one.middle, one.after) == (
        lines["prompt"],
        "    total = a + b",
        "\n    return total\n",
    )
    assert judged(one, "    total = b + a").passed
    span = place(
        tmp_path, **lines, canonical_solution="    total = 3\n", task_id="RandomSpanInfillingLight/H/0/1"
    )
    assert (span.after, span.middle) == (lines["suffix"], "    total = 3\n")


def test_limit_draws_the_same_places() -> None:
    places = read(HELD_OUT)
    assert chosen(places, 5, 0) == chosen(places, 5, 0) != chosen(places, 5, 1)
    assert chosen(places, None, 0) == places
    assert len(chosen(places, 5, 0)) == 25


@pytest.mark.skipif(not HUMAN_EVAL, reason="HumanEval-Infilling is not on this machine")
def test_canonical_solutions_pass() -> None:
    places = [one for path in HUMAN_EVAL for one in read(path)]
    assert len(places) == 1033 + 164
    for one in chosen(places, 12, seed=0):
        program = f"{one.before}{one.middle}{one.after}\n{one.test}"
        assert sandbox.run(program) == sandbox.Verdict(True, "passed"), one.name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "name an existing file"),
        (b"", "holds no holes"),
        (b"{}\n", "line 1: not a hole of any known format"),
        (b'{"canonical_solution": 3}\n', "line 1: not a hole"),
        (b"not json\n", "line 1: not a hole"),
        (gzip.compress(b"{}", mtime=0)[:-4], "is damaged"),
        (b"\xff\xfe", "is damaged"),
    ],
)
def test_bad_files_are_one_line(
    data: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        read(path)
    assert command.main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
