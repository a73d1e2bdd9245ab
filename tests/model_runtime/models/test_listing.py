"""The list of checkpoints, known ones and those in the cache."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model_runtime.models import listing
from model_runtime.models.known import KNOWN
from tests.support.fake_hub import Hub

Command = Callable[..., subprocess.CompletedProcess[str]]


def states(command: Command) -> dict[str, str]:
    return {row["id"]: row["state"] for row in json.loads(command("list", "--json").stdout)}


def test_list(command: Command, hub: Hub) -> None:
    run = command("list")
    assert run.returncode == 0, run.stderr
    for known in KNOWN:
        assert known.id in run.stdout
    assert states(command) == {"embedded": "ready"} | {k.id: "absent" for k in KNOWN if k.id != "embedded"}
    assert hub.requests == []  # asks nobody


def test_of_the_cache_only_models_of_our_kind_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name, config in {
        "acme/ours": '{"model_type": "diffusion_gemma"}',
        "acme/other": '{"model_type": "llama"}',
        "acme/broken": "{",
        "acme/list": "[]",
    }.items():
        repository = tmp_path / f"models--{name.replace('/', '--')}"
        snapshot = repository / "snapshots" / "abc"
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(config)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
    found = {row.known.id: row.state for row in listing.rows()}
    assert set(found) == {known.id for known in KNOWN} | {"acme/ours"}
    assert found["acme/ours"] == "partial", "it has no weights"
    assert "acme/ours" in listing.table(listing.rows())
