"""The command: what it cannot do, and the real one on a tiny model."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation import __main__ as command
from tests.evaluation.examples import ADD, HELD_OUT, QUIET, write
from tests.support import tiny
from tests.support.paths import ROOT
from tests.support.servers import started

PNG = b"\x89PNG\r\n\x1a\n"


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
        (("--only", "copy", "--chart", "x.png"), 1, "pip install matplotlib"),
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


def test_a_folder_of_projects_is_read_by_split_and_language(tmp_path: Path, capsys: Any) -> None:
    project = tmp_path / "dev" / "go" / "one"
    project.mkdir(parents=True)
    text = "package one\n\nfunc area(width int, height int) int {\n\treturn width * height\n}\n"
    (project / "a.go").write_text(text)
    at = text.index("width * height")
    record = {"kind": "end-of-line", "language": "go", "project": "one", "path": "a.go"}
    lines = json.dumps(record | {"start": at, "end": at + len("width * height")})
    (tmp_path / "dev" / "go.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    only = ["--only", "copy", "--language", "go", str(tmp_path)]
    assert command.main(["--split", "dev", "--json", str(tmp_path / "out"), *only]) == 0
    result = json.loads((tmp_path / "out").read_text())
    assert (result["split"], result["languages"]) == ("dev", ["go"])
    (row,) = result["rows"]
    assert row["refused_by_rules"]["share"] == 0  # the language counts as enabled
    assert row["found"]["of"] == 1
    capsys.readouterr()
    assert command.main(only) == 2
    assert "go.jsonl.gz is missing; `python -m benchmarks.projects" in capsys.readouterr().err


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
