"""The real server process over stdio."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.editor import (
    FAKED,
    REAL,
    check_empty,
    check_offered,
    editor,
)


async def test_the_real_server_takes_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))  # no worker of another test
    started = time.perf_counter()
    async with editor(REAL) as it:
        print(f"initialized after {time.perf_counter() - started:.2f} s")
        check_empty(await it.ask(0, 0))  # never opened
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a"))  # nor this
        it.open("some words\n", language="plaintext", uri="file:///notes")
        check_empty(await it.ask(0, 3, "file:///notes"))
        it.open("x = ", language="klingon", uri="not a uri")
        check_empty(await it.ask(0, 3, "not a uri"))
        with pytest.raises(JsonRpcException):
            await it.execute("infill.nonsense")
        status = await it.execute("infill.status")
        assert status["reason"] == "worker-lost"


async def test_other_files_reach_the_worker_without_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, folder, secret = tmp_path / "wire", tmp_path / "work", "correct-horse-battery-9"
    monkeypatch.setenv("TEST_WIRE", str(wire))
    for name, text in {
        "seen.py": f'password = "{secret}"\nstore_all(seen, where)\n',
        "signature.py": f'def store_all(value, password="{secret}"): ...\n',
        "docstring.py": f'def store_all(value):\n    """password: {secret}"""\n',
        ".env": secret,
        ".gitignore": "ignored.py\n",
        "ignored.py": f"store_all(ignored_{secret}, 1)\n",
    }.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    async with editor(FAKED, folder=folder) as it:
        it.open(f"store_all(opened, 1)\nsecret = '{secret}'\n", uri=(folder / "open.py").as_uri())
        main = (folder / "main.py").as_uri()
        it.open("store_all(", uri=main)
        deadline = time.monotonic() + 80  # a busy machine reads files when it has nothing better to do
        while not (
            wire.exists() and {b"seen", b"opened"} <= set(re.findall(rb"seen|opened", wire.read_bytes()))
        ):
            assert time.monotonic() < deadline, wire.read_bytes()
            check_offered(await it.ask(0, 10, main), 0, 10)
            await asyncio.sleep(0.1)
        it.open("a = ", uri=(folder / "deploy.pem").as_uri())
        check_empty(await it.ask(0, 4, (folder / "deploy.pem").as_uri()))
    assert secret.encode() not in wire.read_bytes()
