"""Start the stand-in servers as processes, control them over HTTP, end them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.paths import ROOT


@dataclass(frozen=True)
class Process:
    process: subprocess.Popen[str]
    url: str

    def fault(self, kind: str) -> None:
        """Misbehave in this way from now on; empty: no longer."""
        data = json.dumps({"kind": kind}).encode()
        urlopen(Request(self.url + "/fault", data, method="POST"), timeout=10).close()

    def seen(self) -> list[Any]:
        """The bodies of all requests so far, as text."""
        with urlopen(self.url + "/seen", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def started(
    *arguments: str, module: str = "tests.support.vllm_server", scheme: str = "http"
) -> Iterator[Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port, "the server did not start"
        yield Process(process, f"{scheme}://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait(10)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def make_certificate(folder: Path) -> tuple[str, str]:
    """Paths of a self-signed certificate for 127.0.0.1 and of its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
