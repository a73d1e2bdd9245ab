"""The evaluator: what is read, how it is judged and counted, and the real command on a tiny model."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evaluation import __main__ as command
from evaluation import report, sandbox, scores
from evaluation.asking import Answer, ask
from evaluation.places import DataError, Place, chosen, read
from evaluation.run import Findings, measure
from lsp_server.cli import admin, main
from lsp_server.config.settings import Settings
from model_runtime.protocol import Done, Draft, Infill, Refused
from tests.support import tiny
from tests.support.paths import ROOT
from tests.support.servers import started

HELD_OUT = ROOT / "benchmarks" / "data" / "held-out.jsonl.gz"
QUIET = ROOT / "benchmarks" / "data" / "quiet.jsonl.gz"
# As in issue 4, ../shared/eval; a worktree may lie deeper.
HUMAN_EVAL = [path for parent in ROOT.parents for path in sorted(parent.glob("shared/eval/HumanEval-*.gz"))]
PNG = b"\x89PNG\r\n\x1a\n"

ADD = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "add",
    "prompt": "def add(a, b):\n    total = ",
    "suffix": "\n    return total\n",
    "canonical_solution": "a + b",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def place(tmp_path: Path, **changes: Any) -> Place:
    return read(write(tmp_path / "one.jsonl", {**ADD, **changes}))[0]


class Says:
    """A contender with one answer to everything."""

    def __init__(self, text: str | None, confidence: float = 0.7) -> None:
        self.text, self.confidence, self.prepared, self.requests = text, confidence, 0, []

    async def prepare(self, request: Infill) -> None:
        self.prepared += 1

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        if self.text is None:
            return Refused(0, "failed", "no")
        return Done(0, (self.text,), self.confidence, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)


def judged(one: Place, text: str | None) -> scores.Outcome:
    contender = Says(text)
    answer = asyncio.run(ask(one, contender, Settings()))
    assert contender.prepared == len(contender.requests)
    return scores.judge(one, "c", answer, lambda program: sandbox.run(program).passed)


@pytest.mark.parametrize(
    ("text", "exact", "parses", "passed"),
    [
        ("a + b", True, True, True),
        ("a + b  ", True, True, True),
        ("b + a", False, True, True),
        ("a - b", False, True, False),
        ("exit()", False, True, False),
        ("(a +", False, None, False),  # the server does not offer it
        ("", False, None, False),
        (None, False, None, False),
    ],
)
def test_judged(text: str | None, exact: bool, parses: bool, passed: bool, tmp_path: Path) -> None:
    outcome = judged(place(tmp_path), text)
    assert (outcome.exact, outcome.parses, outcome.passed) == (exact, parses, passed)
    assert outcome.answer.asked
    assert (outcome.similarity == 1) is exact


def test_holes_that_the_user_names_may_have_lines(tmp_path: Path) -> None:
    one = place(
        tmp_path, task_id="RandomSpanInfillingLight/HumanEval/0/1", canonical_solution="a\n    total += b"
    )
    assert one.kind == "HumanEval random-span"
    outcome = judged(one, "a\n    total += b")
    assert (outcome.exact, outcome.parses, outcome.passed) == (True, True, True)
    assert judged(replace(one, kind="end-of-line"), "a\n    total += b").exact is False


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


def test_what_is_only_given_on_request_is_judged_but_not_shown() -> None:
    one = Place("end-of-line", "x", "def f():\n    a = 'some w", "'\n    return a\n", "ords")
    outcome = judged(one, "ords")
    assert (outcome.exact, outcome.answer.asked, outcome.answer.reason) == (True, False, "")
    row = scores.summary([outcome], threshold=0.0)
    assert (row["exact"]["share"], row["shown"]["share"], row["refused_by_rules"]["share"]) == (1, 0, 1)


def test_indented_context_parses() -> None:
    one = Place("end-of-line", "x", "        if a:\n            b = ", "\n    def f(self): pass\n", "c(1)")
    assert judged(one, "c(2)").parses is True
    unfinished = replace(one, before="        if a\n            b = ")
    assert judged(unfinished, "c(2)").parses is None  # the truth does not parse either


def test_shares() -> None:
    assert scores.share(0, 0)["share"] is None
    found = scores.share(27, 100)  # Wilson's interval, as in the literature's tables
    assert (found["low"], found["high"]) == (pytest.approx(0.193, abs=1e-3), pytest.approx(0.364, abs=1e-3))
    assert scores.share(0, 10)["low"] == 0
    assert scores.share(10, 10)["high"] == 1


def answer(confidence: float, ms: float, asked: bool = True, reason: str = "") -> Answer:
    return Answer("t", "t", confidence, 2, ms, asked, reason)


def test_a_row() -> None:
    outcomes = [
        scores.Outcome("c", "k", answer(0.9, 10), True, 1.0, True, None),
        scores.Outcome("c", "k", answer(0.5, 20), False, 0.5, False, None),
        scores.Outcome("c", "k", answer(0.1, 30), True, 1.0, None, None),
        scores.Outcome("c", "k", answer(0.0, 0, asked=False, reason="finished"), False, 0.0, None, None),
    ]
    row = scores.summary(outcomes, threshold=0.4)
    expected = {"exact": 0.5, "shown": 0.5, "exact_shown": 0.5, "parses": 0.5, "refused_by_rules": 0.25}
    assert {name: row[name]["share"] for name in expected} == expected
    assert row["passed"]["share"] is None
    assert (row["similarity"], row["steps"], row["p50_ms"], row["p90_ms"], row["n"]) == (0.625, 2, 20, 30, 4)
    quiet = scores.quiet("k", False, [o.answer for o in outcomes], threshold=0.4)
    assert [quiet[name]["share"] for name in ("silent", "silent_without_threshold", "silent_by_rules")] == [
        0.5,
        0.25,
        0.25,
    ]


def test_all_kinds_to_all_contenders(capsys: pytest.CaptureFixture[str]) -> None:
    """The right text is exactly right for every kind of own hole that is asked at a cursor."""
    places = chosen([*read(HELD_OUT), *read(QUIET)], 3, seed=1)
    kinds = {one.kind for one in places}
    assert {"end-of-line", "whole-line", "lines", "brackets", "span", "finished statement"} <= kinds
    findings = Findings()
    sure, unsure = Says("x", 1.0), Says("x", 0.1)
    asyncio.run(measure(places, {"shipped": sure, "other": unsure}, Settings(), findings))
    rows = findings.rows(0.4)
    assert len(rows) == 10
    assert all(row["n"] == 3 for row in rows)
    assert {row["shown"]["share"] for row in rows if row["contender"] == "other"} == {0.0}
    quiet = {row["category"]: row for row in findings.quiet(0.4)}
    assert quiet["another language"]["silent_by_rules"]["share"] == 1
    assert quiet["all of these"]["n"] == 12
    assert quiet["unfinished line"]["wanted"]
    labels = {"shipped": "as shipped", "other": "the other"}
    text = report.table({"contenders": labels, "rows": rows, "quiet": findings.quiet(0.4)})
    for line in text.split("\n"):
        assert not line or (line[0], line[-1]) == ("|", "|")
    assert "unfinished line, 3" in text
    for one in places:
        if one.kind in ("end-of-line", "brackets"):
            assert judged(one, one.middle).exact


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


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "DATA"),
        (("--limit", "0"), 2, "'0' is not a whole number"),
        (("--threshold", "2"), 2, "'2' is not a number from 0 to 1"),
        (("--json", "/no/such/folder/x"), 2, "cannot be written"),
        (("--only", "best"), 2, "there is no contender 'best'; there are shipped, copy, drafts"),
        (("--only", "fim"), 2, "--fim"),
        (("--device", "toaster"), 2, "--device"),
        (("--backend", "tgi"), 2, "--backend: 'tgi' is not local or vllm or openai"),
        (("--backend", "vllm", "--backend-url", "gpu"), 2, "--backend-url: 'gpu' is not empty or addresses"),
        (("--backend", "vllm", "--backend-url", "http://a", "--only", "causal"), 2, "leave out --backend"),
        (("--only", "causal", "--model", "/no/such"), 1, "no folder /no/such"),
        (("--only", "copy", "--chart", "x.png"), 1, "pip install 'infill-ls[train]'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "--chart" in arguments:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    try:
        found: Any = command.main([*arguments, *([str(HELD_OUT)] if arguments else [])])
    except SystemExit as exit:
        found = exit.code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("loading")]
    assert (found, out, len(lines)) == (status, "", 1), err
    assert said in lines[0]


def test_a_server_is_judged_as_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    with started("--has", "suffix", module="tests.support.text_server") as server:
        arguments = ["--backend", "openai", "--backend-url", server.url, "--limit", "1", str(HELD_OUT)]
        assert command.main([*arguments, "--json", str(tmp_path / "out")]) == 0
    assert list(json.loads((tmp_path / "out").read_text())["contenders"]) == ["shipped", "copy"]


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    """As a user starts it: the real worker and two contenders in the process, on every kind of place."""
    folder = tiny.write_folder(tmp_path / "model")
    files = tmp_path / "found.json", tmp_path / "found.png"
    human_eval = write(tmp_path / "human.jsonl", ADD)
    options = ["--limit", "1", "--model", folder, "--device", "cpu", "--json", files[0], "--chart", files[1]]
    options += ["--only", "shipped", "--only", "copy", "--only", "fim", "--fim", folder]
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "eval", *map(str, options), HELD_OUT, QUIET, human_eval],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(files[0].read_text())
    assert list(result["contenders"]) == ["shipped", "copy", "fim"]
    assert {row["kind"] for row in result["rows"]} >= {"lines", "HumanEval single-line"}
    assert len(result["rows"]) == 6 * 3
    assert result["quiet"][0]["n"] == 1
    assert result.keys() >= {"hardware", "torch", "commit", "date", "threshold", "seed", "table"}
    assert result["table"] in done.stdout
    assert files[1].read_bytes().startswith(PNG)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_ctrl_c_reports_what_was_measured(tmp_path: Path) -> None:
    """The interrupt goes to the whole process group, as from a terminal."""
    slow = "def check(candidate):\n    import time\n    time.sleep(1)\n"
    prompt = f"def one(a, b):\n    total = a + b\n    return total\n\n\n{ADD['prompt']}"
    records = [{**ADD, "prompt": prompt, "test": f"{slow}    # {i}\n"} for i in range(100)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lsp_server", "eval", "--only", "copy", write(tmp_path / "a.jsonl", *records)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=ROOT,
    )
    assert process.stderr
    while b"/100" not in process.stderr.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"interrupted" in err
    assert b"| HumanEval single-line, " in out
    assert b"100 holes" not in out


def test_the_command_passes_everything_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], cwd: Path) -> None:
            called.append(command[3:])
            self.waits = 0

        def wait(self) -> int:
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return 7

    monkeypatch.setattr(admin.subprocess, "Popen", Process)
    monkeypatch.chdir(tmp_path)
    arguments = [
        "eval",
        "a.jsonl",
        "--only",
        "copy",
        "--model",
        "./m",
        "--json",
        "b",
        "--fim",
        "f",
        "--limit",
        "3",
    ]
    assert CliRunner().invoke(main.main, arguments).exit_code == 7
    assert called == [
        [
            "--only=copy",
            f"--model={tmp_path}/m",
            "--limit=3",
            f"--json={tmp_path}/b",
            f"--fim={tmp_path}/f",
            "--",
            f"{tmp_path}/a.jsonl",
        ]
    ]
