from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from lsp_server.cli import main
from lsp_server.config.settings import Settings
from lsp_server.session import session
from model_runtime.protocol import Done, Draft, Fixed, Infill, Percentiles, Refused, Slot, Status

STATUS = Status(
    id=0,
    pid=4711,
    state="ready",
    model="embedded",
    device="cpu",
    message="",
    progress=1.0,
    memory_bytes=200 * 2**20,
    clients=1,
    queued=0,
    served=3,
    p50_ms=120.0,
    p90_ms=200.0,
    p99_ms=300.0,
    parts={"queue": Percentiles(1.0, 2.0, 3.0)},
    requests=5,
    refused={"busy": 2},
    shown=3,
    accepted=1,
    uptime_s=3700,
)


class FakeWorker:
    """Fills in `2`, refuses above a line `# refuse`; running or not, as its model's name says."""

    def __init__(self, settings: Settings) -> None:
        self.running = settings.model != "stopped"
        self.loading = [] if self.running else [msgspec.structs.replace(STATUS, state="loading")]
        self.deadline_ms = settings.deadline_ms

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        assert request.deadline_ms == self.deadline_ms or "#action-" in request.document
        if request.instruction:
            return Refused(0, "instruction", "the model embedded follows no instructions")
        if Fixed("\n# refuse\n") in request.canvas:
            return Refused(0, "failed", "out of memory")
        texts = ("2\n",) * sum(isinstance(piece, Slot) for piece in request.canvas)
        return Done(0, texts, 0.75, steps=4, queue_ms=0, prefill_ms=0, denoise_ms=0, sources=("denoiser",))

    async def prepare(self) -> None:
        self.running = True

    async def status(self) -> Status | Refused:
        if not self.running:
            return Refused(0, "worker-lost", "no worker is running")
        return self.loading.pop() if self.loading else STATUS

    async def stop(self) -> bool:
        return self.running

    async def close(self) -> None:
        pass


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    def fake(settings: Settings) -> Any:
        return FakeWorker(settings)

    monkeypatch.setattr(session, "connect", fake)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_bytes("a = 1\r\nb = '😀' + \r\n".encode())
    (tmp_path / "refuse.py").write_text("b = \n# refuse\n")
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfx = ")
    (tmp_path / "latin.py").write_bytes(b"# \xe9t\xe9\n")
    (tmp_path / "notes.txt").write_text("x = ")
    (tmp_path / "folder.py").mkdir()
    return lambda *arguments: CliRunner().invoke(main.main, arguments)


def check_wrong_use(result: Result, *words: str) -> None:
    """One line on stderr that holds the words, exit status 2."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr


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


def test_serve_wrongly_used(run: Callable[..., Result]) -> None:
    check_wrong_use(run("serve", "--tcp", "here"), "HOST:PORT", "'here'")


def test_worker_status(run: Callable[..., Result]) -> None:
    result = run("worker", "status")
    assert result.exit_code == 0
    assert "ready: embedded on cpu, pid 4711, up 1 h 1 min, 200 MiB" in result.stdout
    assert "5 requests, 3 served, refused: 2 busy" in result.stdout
    assert "3 suggestions shown, 1 accepted" in result.stdout
    assert "     total    120.0    200.0    300.0\n     queue      1.0      2.0      3.0" in result.stdout
    assert json.loads(run("worker", "status", "--json").stdout)["pid"] == 4711


def test_worker_that_is_not_running(run: Callable[..., Result]) -> None:
    result = run("worker", "status", "--model", "stopped")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no worker is running; `infill-ls worker start` starts one" in result.stderr
    as_json = run("worker", "status", "--model", "stopped", "--json")
    assert json.loads(as_json.stdout)["state"] == "stopped"
    assert run("worker", "stop", "--model", "stopped").stdout == "no worker was running\n"


def test_worker_start_and_stop(run: Callable[..., Result]) -> None:
    assert run("worker", "start", "--model", "stopped").stdout.startswith("ready")
    assert run("worker", "stop").stdout == "the worker has stopped\n"
    assert json.loads(run("worker", "stop", "--json").stdout) == {"stopped": True}


def test_every_command_explains_itself(run: Callable[..., Result]) -> None:
    def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = [path]
        for name, command in group.commands.items():
            inner = (*path, name)
            found += commands(command, inner) if isinstance(command, click.Group) else [inner]
        return found

    for path in commands(main.main):
        assert run(*path, "--help").exit_code == 0


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
