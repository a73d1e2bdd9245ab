"""The sandbox against programs that really try."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from evaluation import sandbox


def check(program: str, passed: bool, reason: str = "", **limits: float) -> None:
    verdict = sandbox.run(program, **limits)  # type: ignore[arg-type]
    assert verdict.passed is passed, verdict
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("program", "passed", "reason"),
    [
        ("import math, collections, re, hashlib\nassert math.gcd(4, 6) == 2", True, "passed"),
        ("print('x' * 100_000)", True, "passed"),
        ("assert 1 == 2, 'no'", False, "AssertionError: no"),
        ("def f(:", False, "SyntaxError"),
        ("raise SystemExit(0)", False, "exit status 0"),
        ("import os; os._exit(0)", False, "exit status 0"),
        ("def f(): return f()\nf()", False, "RecursionError"),
        ("\ud800", False, ""),
    ],
)
def test_verdict(program: str, passed: bool, reason: str) -> None:
    check(program, passed, reason)


@pytest.mark.parametrize(
    "attempt",
    [
        "open({target!r}, 'w')",
        "open({target!r}, 'a').write('x')",
        "import os; os.open({target!r}, os.O_CREAT | os.O_WRONLY)",
        "import pathlib; pathlib.Path({target!r}).touch()",
        "import os; os.remove({victim!r})",
        "import os; os.rename({victim!r}, {target!r})",
        "import os; os.truncate({victim!r}, 0)",
        "import shutil; shutil.rmtree({folder!r})",
        "import os; os.system('touch ' + {target!r})",
        "import subprocess; subprocess.run(['touch', {target!r}])",
        "import os; os.fork()",
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import ctypes; ctypes.CDLL(None).system(b'true')",
        "import os, signal; os.kill(os.getppid(), signal.SIGTERM)",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
    ],
)
def test_harm_is_prevented(attempt: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    program = attempt.format(target=str(tmp_path / "new"), victim=str(victim), folder=str(tmp_path))
    check(program, False, "the sandbox")
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]
    assert victim.read_text() == "kept"
    # What tries and carries on has still done nothing.
    check(f"try:\n    {program}\nexcept OSError:\n    pass", True)
    assert victim.read_text() == "kept"


def test_time_is_limited() -> None:
    started = time.monotonic()
    check("while True: pass", False, "timeout", cpu_s=1)
    check("import time; time.sleep(60)", False, "timeout", wall_s=1)
    check(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()", False, "", wall_s=2
    )
    assert time.monotonic() - started < 60


def test_memory_is_limited() -> None:
    check("x = bytearray(2 << 30)", False, "MemoryError")
    check("x = []\nwhile True: x.append('x' * 10_000_000)", False, "MemoryError")
    check("x = bytearray(100 << 20)", True)
