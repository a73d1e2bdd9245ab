"""`infill-ls models`, against a hub on loopback that cuts, corrupts and refuses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from model_runtime.loading import infiller_model
from model_runtime.prompting.infillers import DREAMON
from model_runtime.protocol import Choice
from tests.model_runtime.models.test_listing import Command, states
from tests.support import fake_hub, tiny_infiller
from tests.support.fake_hub import Hub

SHARD = "model-00001-of-00002.safetensors"


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


def test_a_masked_diffusion_model_is_there_to_be_used(command: Command, tmp_path: Path) -> None:
    """With its tokenizer in parts, and without the code that its config.json names."""
    with fake_hub.serving(tiny_infiller.write(tmp_path / "release", DREAMON), DREAMON.id) as hub:
        run = command("download", DREAMON.id, HF_ENDPOINT=hub.url)
    assert run.returncode == 0, run.stderr
    assert states(command)[DREAMON.id] == "ready"
    here = Path(run.stdout.strip())
    assert {"vocab.json", "merges.txt", "added_tokens.json"} < {path.name for path in here.iterdir()}
    assert not list(here.glob("*.py"))
    assert infiller_model.load(Choice(model=str(here), device="cpu")).denoiser.record is DREAMON


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
