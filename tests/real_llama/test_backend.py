"""`backend = openai` against a real llama.cpp server with a tiny random model; skipped without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.protocol import Choice
from model_runtime.remote.loading import load
from model_runtime.remote.texts import TextEngine
from tests.conftest import private_workers
from tests.e2e.conftest import EXAMPLE
from tests.model_runtime.remote.test_texts import ONE, REWRITE, TWO, run
from tests.support.paths import ROOT
from tests.support.servers import free_port

VARIABLE = "INFILL_LS_LLAMA"  # the folder that .ci/get_llama.sh has made
KEY = "s3cret"
SENTINELS = ("<s4>", "<s5>", "<s6>", "<eos>", "<bos>", "<pad>", "<gap>")
pytestmark = [
    pytest.mark.llama,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get(VARIABLE),
        reason=f"no llama.cpp: make one with .ci/get_llama.sh FOLDER, then set {VARIABLE}=FOLDER",
    ),
]


def asked(url: str, path: str) -> str:
    with urlopen(Request(url + path, headers={"Authorization": f"Bearer {KEY}"}), timeout=10) as answer:
        return answer.read().decode()


@contextmanager
def serving(model: str) -> Iterator[str]:
    """The server's address."""
    folder, port = Path(os.environ[VARIABLE]), free_port()
    command = [str(folder / "llama-server"), "--model", str(folder / f"{model}.gguf"), "--alias", model]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--ctx-size",
        "4096",
        "--parallel",
        "2",
        "--metrics",
    ]
    process = subprocess.Popen(
        command, env=os.environ | {"LLAMA_API_KEY": KEY}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while True:
            assert process.poll() is None, "llama-server ended"
            assert time.monotonic() < end, "llama-server did not start"
            try:
                asked(url, "/health")
                break
            except (URLError, OSError):
                time.sleep(0.2)
        yield url
        assert process.poll() is None, "llama-server ended meanwhile"
        asked(url, "/health")
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving("tiny") as url:
        yield url


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_API_KEY", KEY)


def engine(url: str) -> TextEngine:
    found = load(Choice(backend="openai", url=url))
    assert isinstance(found, TextEngine)
    return found


def requests(url: str) -> float:
    lines = asked(url, "/metrics").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("llamacpp:requests_processing"))


def test_holes_are_filled_in_the_middle(server: str) -> None:
    """At `/infill`, with the probability of what it writes; no special token is in it."""
    asking = engine(server)
    for request in (ONE, TWO):
        fill, _ = run(asking, request)
        assert len(fill.texts) == (2 if request is TWO else 1)
        assert 0 < fill.confidence < 0.5, "random weights are unsure, and say so"
        assert not any(mark in text for text in fill.texts for mark in SENTINELS)
    with pytest.raises(ModelError, match=r"has no /v1/fim/completions|does not accept"):
        engine(server + "/v1/fim/completions")


def test_a_rewrite_goes_through_the_chat(server: str) -> None:
    drafts = []
    try:
        for step in engine(server).fill(REWRITE):
            drafts += step.texts() if step else []
    except Unfillable as error:  # random weights: whether an answer ends is their affair
        if "did not end within" not in str(error):
            raise
    assert drafts, "it is streamed"
    assert not any(mark in drafts[-1] for mark in SENTINELS)


def test_a_fill_that_is_given_up_is_stopped(server: str) -> None:
    waiting = engine(server).fill(REWRITE)
    while next(waiting) is None:
        pass
    assert requests(server)
    waiting.close()
    end = time.monotonic() + 10
    while requests(server) and time.monotonic() < end:
        time.sleep(0.1)
    assert not requests(server)


def test_a_model_that_cannot_fill_in_the_middle_is_asked_by_chat() -> None:
    with serving("plain") as url:
        fill, _ = run(engine(url), ONE)
        assert len(fill.texts) == 1


def test_a_key(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_API_KEY", "wrong")
    with pytest.raises(ModelError, match="refuses the key in INFILL_LS_API_KEY"):
        engine(server)


def test_the_command_line(server: str) -> None:
    """Whatever random weights write: one line on standard error, or a text without special tokens."""
    chosen = ["--backend", "openai", "--backend-url", server]
    with private_workers():
        for words in (["doctor", "--json"], ["complete", str(EXAMPLE), "--at", "69:18", "--json"]):
            line = [sys.executable, "-m", "lsp_server", *words, *chosen]
            found = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
            assert found.returncode in (0, 1), found.stderr
            assert not any(mark in found.stdout for mark in SENTINELS)
            if words[0] == "doctor":
                said = json.loads(found.stdout)["findings"]
                assert any("completes at /infill" in each["message"] for each in said)
