"""`infill-ls fill` and `infill-ls rewrite`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.lsp_server.cli.wrong_use import check_wrong_use

HOLES = b"\xef\xbb\xbfdef f():\r\n    pass\r\n\r\n\r\ndef g():\r\n    return <fill>"


def test_fill_prints_a_diff(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(HOLES)
    result = run("fill", "holes.py")
    assert result.exit_code == 0, result.stderr
    changed = [line for line in result.stdout_bytes.decode().split("\n") if line.startswith(("+", "-"))]
    assert changed == [
        "--- a/holes.py",
        "+++ b/holes.py",
        "-    pass\r",
        "+    2\r",
        "-    return <fill>",
        "+    return 2",
    ]
    assert (tmp_path / "holes.py").read_bytes() == HOLES
    assert "2 changes" in result.stderr


def test_fill_applies_when_asked_to(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(HOLES)
    result = run("fill", "holes.py", "--apply")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "holes.py").read_bytes() == HOLES.replace(b"pass", b"2").replace(b"<fill>", b"2")


UNSURE = b"def f():\n    # unsure\n    pass\n\n\ndef g():\n    pass\n\n\ndef h():\n    # empty\n    pass\n"


def test_fill_leaves_alone_what_it_is_not_sure_of(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(UNSURE)
    result = run("fill", "holes.py", "--apply")
    assert result.exit_code == 0
    assert (tmp_path / "holes.py").read_bytes() == UNSURE.replace(b"g():\n    pass", b"g():\n    2")
    told = result.stderr.splitlines()
    assert "holes.py:7: 75% sure" in told
    assert (
        "1 hole left alone: the model is less sure than infill.confidenceThreshold; --all takes them in"
        in (told[-3].partition(" (")[0])
    )
    assert "1 hole left alone: the model had nothing to add here (empty)" in told
    assert told[-1] == "1 change"


def test_fill_takes_all_in_when_asked_to(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(UNSURE)
    result = run("fill", "holes.py", "--all", "--json")
    told = json.loads(result.stdout)
    assert [edit["confidence"] for edit in told["edits"]] == [0.1, 0.75]
    assert [each["reason"] for each in told["left_alone"]] == ["empty"]
    assert "holes.py:3: 10% sure" in result.stderr


def test_fill_of_nothing_that_is_sure(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(UNSURE.partition(b"\n\n\n")[0])
    result = run("fill", "holes.py")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--all takes them in" in result.stderr
    assert json.loads(run("fill", "holes.py", "--json").stdout)["left_alone"][0]["reason"] == "confidence"


def test_fill_for_a_program(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "holes.py").write_bytes(HOLES)
    answer = json.loads(run("fill", "holes.py", "--json").stdout)
    assert answer["applied"] is False
    assert answer["diff"].startswith("--- a/holes.py\n")
    assert [edit["range"]["start"] for edit in answer["edits"]] == [
        {"line": 2, "column": 5},
        {"line": 6, "column": 12},
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("fill", "a.py"), "no-hole"),
        (("rewrite", "a.py", "--lines", "1-2", "--instruction", " "), "instruction"),
        (("rewrite", "a.py", "--lines", "1-2", "--instruction", "shorter"), "instruction"),
    ],
)
def test_nothing_is_changed(run: Callable[..., Result], arguments: tuple[str, ...], reason: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert f"({reason})" in result.stderr
    assert json.loads(run(*arguments, "--json").stdout)["reason"] == reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fill", "gone.py"), ("gone.py", "no such file")),
        (("rewrite", "a.py", "--lines", "all", "--instruction", "x"), ("A-B", "'all'")),
        (("rewrite", "a.py", "--lines", "3-2", "--instruction", "x"), ("A-B",)),
        (("rewrite", "a.py", "--lines", "0-2", "--instruction", "x"), ("A-B",)),
        (("rewrite", "a.py", "--lines", "2-9", "--instruction", "x"), ("a.py has 3 lines",)),
    ],
)
def test_changes_wrongly_used(
    run: Callable[..., Result], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    check_wrong_use(run(*arguments), *words)
