"""`infill-ls complete`, and what all commands have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lsp_server.cli import main
from lsp_server.cli.options import counted
from lsp_server.config.settings import Settings
from tests.lsp_server.cli.wrong_use import check_wrong_use


def test_complete_for_a_reader(run: Callable[..., Result]) -> None:
    result = run("complete", "a.py", "--at", "2:11")
    assert (result.exit_code, result.stdout) == (0, "2\n")
    assert ">    2 | b = '😀' + 2\n" in result.stderr
    assert "confidence 0.75, 4 steps" in result.stderr
    assert "from denoiser" in result.stderr


def test_complete_for_a_program(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("complete", "a.py", "--at", "2:11", "--json", "--deadline-ms", "500")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer.pop("ms") >= 0
    at = {"line": 2, "column": 11}
    assert answer == {
        "text": "2",
        "range": {"start": at, "end": at},
        "confidence": 0.75,
        "steps": 4,
        "sources": ["denoiser"],
        "version": 0,
    }
    assert (tmp_path / "a.py").read_bytes() == "a = 1\r\nb = '😀' + \r\n".encode()


def test_what_has_no_effect_is_told(run: Callable[..., Result]) -> None:
    choice = ("--adapter", "/mine", "--backend", "openai", "--backend-url", "http://gpu")
    result = run("complete", "a.py", "--at", "2:11", *choice)
    assert (result.exit_code, result.stdout) == (0, "2\n")
    assert (
        "infill.adapter: '/mine' has no effect on a server; unset it, have the server load it"
        in result.stderr
    )
    assert "no effect" not in run("complete", "a.py", "--at", "2:11", "--adapter", "/mine").stderr


@pytest.mark.parametrize(("file", "at"), [("empty.py", "1:1"), ("bom.py", "1:5"), ("a.py", "3:1")])
def test_complete_at_the_edges(run: Callable[..., Result], file: str, at: str) -> None:
    assert run("complete", file, "--at", at).stdout == "2\n"


@pytest.mark.parametrize(
    ("file", "at", "reason"), [("refuse.py", "1:5", "failed"), ("notes.txt", "1:5", "language")]
)
def test_complete_with_nothing_to_offer(run: Callable[..., Result], file: str, at: str, reason: str) -> None:
    result = run("complete", file, "--at", at)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"({reason})" in result.stderr
    assert result.stderr.count("\n") == 1
    as_json = run("complete", file, "--at", at, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["reason"] == reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone.py", "--at", "1:1"), ("gone.py", "no such file")),
        (("folder.py", "--at", "1:1"), ("folder.py is a folder",)),
        (("latin.py", "--at", "1:1"), ("latin.py is not UTF-8", "byte 2")),
        (("a.py", "--at", "one"), ("LINE:COL", "'one'")),
        (("a.py", "--at", "0:1"), ("LINE:COL",)),
        (("a.py", "--at", "1:-1"), ("LINE:COL",)),
        (("a.py", "--at", "9" * 5000 + ":1"), ("LINE:COL",)),
        (("a.py", "--at", "4:1"), ("4:1", "a.py has 3 lines")),
        (("empty.py", "--at", "2:1"), ("empty.py has 1 line",)),
        (("a.py", "--at", "1:7"), ("1:7", "ends at column 6")),
        (("a.py", "--at", "1:1", "--device", "toaster"), ("--device", "toaster", "cuda")),
    ],
)
def test_complete_wrongly_used(
    run: Callable[..., Result], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    check_wrong_use(run("complete", *arguments), *words)


def test_complete_in_a_language_that_is_off(run: Callable[..., Result]) -> None:
    result = run("complete", "a.rb", "--at", "1:5")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("(language); --language ruby asks anyway\n")
    for file in ("a.rb", "notes.txt"):
        result = run("complete", file, "--at", "1:5", "--language", "ruby")
        assert (result.exit_code, result.stdout) == (0, "2\n")


@pytest.mark.parametrize(("count", "words"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_what_is_counted(count: int, words: str) -> None:
    assert counted(count, "step") == words


def test_a_server_has_one_client_and_listens_on_no_port(run: Callable[..., Result]) -> None:
    result = run("serve", "--tcp", "127.0.0.1:0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option" in result.stderr


def test_every_command_explains_itself(run: Callable[..., Result]) -> None:
    """Beside the others, too: in 80 columns no summary is cut."""

    def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = [path]
        for name, command in group.commands.items():
            inner = (*path, name)
            found += commands(command, inner) if isinstance(command, click.Group) else [inner]
        return found

    for path in commands(main.main):
        # In a terminal Click leaves two columns free, under its test runner none.
        result = CliRunner().invoke(main.main, [*path, "--help"], terminal_width=78)
        assert result.exit_code == 0
        summaries = result.stdout.partition("\nCommands:\n")[2].splitlines()
        assert [line for line in summaries if line.endswith("...")] == []
    assert f"({Settings().confidence_threshold:.2f})" in run("fill", "--help").stdout
