"""`infill-ls models`, against a hub on loopback that cuts, corrupts and refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from model_runtime.models.known import GEMMA, KNOWN
from model_runtime.network import memory_budget
from tests.model_runtime.network.test_memory_budget import RELEASED, WORKING
from tests.support import fake_hub, tiny_gemma
from tests.support.fake_hub import Hub
from tests.support.paths import ROOT

SHARD = "model-00001-of-00002.safetensors"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_gemma.write(tmp_path_factory.mktemp("release"))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    return folder


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    with fake_hub.serving(folder) as hub:
        yield hub


@pytest.fixture
def command(tmp_path: Path, hub: Hub) -> Command:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env = clean | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url} | environment
        env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return subprocess.run(
            [sys.executable, "-m", "lsp_server", "models", *arguments],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


def states(command: Command) -> dict[str, str]:
    return {row["id"]: row["state"] for row in json.loads(command("list", "--json").stdout)}


def test_list(command: Command, hub: Hub) -> None:
    run = command("list")
    assert run.returncode == 0, run.stderr
    for known in KNOWN:
        assert known.id in run.stdout
    assert states(command) == {"embedded": "ready"} | {k.id: "absent" for k in KNOWN if k.id != "embedded"}
    assert hub.requests == []  # asks nobody


def test_memory_in_the_list_is_the_arithmetic() -> None:
    listed = next(known for known in KNOWN if known.id == GEMMA).memory
    for kind, gb in listed.items():
        needed = memory_budget.total_bytes(RELEASED, WORKING, "bfloat16", kind)
        assert needed / 1e9 == pytest.approx(gb, abs=0.1)


def test_download(command: Command, hub: Hub, folder: Path) -> None:
    run = command("download", hub.repo)
    assert run.returncode == 0, run.stderr
    assert "licence apache-2.0" in run.stderr
    here = Path(run.stdout.strip())
    assert (here / SHARD).read_bytes() == (folder / SHARD).read_bytes()
    assert not (here / "pytorch_model.bin").exists()
    assert states(command)[hub.repo] == "ready"
    before = len(hub.requests)
    assert command("download", hub.repo).returncode == 0
    assert not any(method == "GET" and "resolve" in path for method, path, _ in hub.requests[before:])


def test_a_download_that_was_cut_goes_on(command: Command, hub: Hub, folder: Path) -> None:
    large = load(hub.files[SHARD]) | {"more": torch.randint(0, 255, (30_000_000,), dtype=torch.uint8)}
    hub.files[SHARD] = save(large)  # the library writes ten megabytes at a time
    hub.trouble[SHARD] = "cut"
    first = command("download", hub.repo)
    assert first.returncode == 1
    assert "goes on where it stopped" in first.stderr.strip().splitlines()[-1]
    assert states(command)[hub.repo] == "partial"
    hub.trouble.clear()
    hub.requests.clear()
    assert command("download", hub.repo).returncode == 0
    (resumed,) = (part for method, path, part in hub.requests if method == "GET" and path.endswith(SHARD))
    assert int(resumed.removeprefix("bytes=").rstrip("-")) >= 10_000_000


def test_a_corrupt_file_is_found_and_fetched_again(command: Command, hub: Hub) -> None:
    hub.trouble[SHARD] = "corrupt"
    run = command("download", hub.repo)
    assert run.returncode == 1
    assert f"{SHARD} was damaged on its way (wrong checksum)" in run.stderr
    hub.trouble.clear()
    assert command("download", hub.repo).returncode == 0


@pytest.mark.parametrize(
    ("where", "status", "says"),
    [
        ("api", 401, "refuses access to acme/tiny-diffusion .*hf auth login"),
        ("api", 403, "is gated: accept its terms at http://.*/acme/tiny-diffusion"),
        (SHARD, 403, "is gated: accept its terms"),
        ("api", 404, "there is no acme/tiny-diffusion at .*check the spelling"),
    ],
)
def test_refusals_are_one_line(command: Command, hub: Hub, where: str, status: int, says: str) -> None:
    import re

    hub.trouble[where] = status
    run = command("download", hub.repo)
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert re.search(says, last), run.stderr
    assert "Traceback" not in run.stderr


def test_another_id(command: Command) -> None:
    assert "there is no acme/nothing" in command("download", "acme/nothing").stderr
    assert "is no id; it has the form owner/name" in command("download", "a/b/c/d").stderr


def test_offline(command: Command, hub: Hub) -> None:
    run = command("download", hub.repo, HF_HUB_OFFLINE="1")
    assert run.returncode == 1
    assert "HF_HUB_OFFLINE is set" in run.stderr
    assert hub.requests == []


def test_nobody_listens(command: Command, hub: Hub) -> None:
    run = command("download", hub.repo, HF_ENDPOINT="http://127.0.0.1:9")
    assert run.returncode == 1
    assert "cannot be reached" in run.stderr.strip().splitlines()[-1]


def test_through_a_proxy(command: Command, hub: Hub) -> None:
    """The address exists for the proxy only."""
    run = command("download", hub.repo, HF_ENDPOINT="http://hub.invalid", HTTP_PROXY=hub.url)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_private_certificate(command: Command, folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "ca.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(made), "-out", str(tmp_path / "crt")),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + (tmp_path / "crt").read_text())
    with fake_hub.serving(folder, certificate=made) as hub:
        refused = command("download", hub.repo, HF_ENDPOINT=hub.url)
        assert refused.returncode == 1
        assert "set SSL_CERT_FILE" in refused.stderr.strip().splitlines()[-1]
        known = command("download", hub.repo, HF_ENDPOINT=hub.url, SSL_CERT_FILE=str(tmp_path / "crt"))
        assert known.returncode == 0, known.stderr
