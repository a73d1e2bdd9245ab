"""Model folders: whole, damaged, of another kind, not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import checkpoint
from model_runtime.network import memory_budget
from tests.support import tiny_gemma

SHARD = "model-00001-of-00002.safetensors"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "config.json").write_text('{"model_type": "gpt2"}'), "is a 'gpt2'.*models list"),
        (lambda f: (f / "config.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "is not a JSON object"),
        (lambda f: (f / SHARD).unlink(), r"lacks model-00001-of-00002.safetensors \(1 of 2 files\)"),
        (lambda f: cut(f / SHARD), "is damaged: .* bytes instead of"),
        (lambda f: (f / SHARD).write_bytes(b"not safetensors"), "is damaged: not a safetensors file"),
        (lambda f: (f / SHARD).write_bytes(b""), "is damaged"),
        (lambda f: (f / checkpoint.INDEX_FILE).write_text("{}"), "is not an index of weights"),
        (lambda f: (f / checkpoint.INDEX_FILE).unlink(), "model.safetensors is missing"),
        (lambda f: (f / checkpoint.INDEX_FILE).rename(f / "model.pt"), "convert them to safetensors"),
    ],
)
def test_a_broken_folder_is_a_one_line_error(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    folder = tiny_gemma.write(tmp_path)
    spoil(folder)
    with pytest.raises(ModelError, match=says) as caught:
        checkpoint.examine(folder, str(folder))
    assert "\n" not in str(caught.value)


def test_the_remedy_for_an_id_is_to_download_it_again(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    cut(folder / SHARD)
    with pytest.raises(ModelError, match=r"infill-ls models download google/x$"):
        checkpoint.examine(folder, "google/x")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        checkpoint.examine(checkpoint.find(str(tmp_path / "x")), str(tmp_path / "x"))


@pytest.mark.parametrize("name", ["google/no-such-model", "a..b/c", "google/x--y"])
def test_an_id_that_was_not_downloaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=f"run `infill-ls models download {name}`"):
        checkpoint.find(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("google/gemma", True), ("./a/b", False), ("/a/b", False), ("embedded", False), ("a/b/c", False)],
)
def test_ids(name: str, expected: bool) -> None:
    assert checkpoint.is_id(name) is expected


def test_weights_are_counted_as_they_are(tmp_path: Path) -> None:
    found = checkpoint.examine(tiny_gemma.write(tmp_path), "x")
    counted = found.weights()
    own = {id(p): p.numel() for p in tiny_gemma.model().parameters()}
    buffers = sum(json.loads(json.dumps(s)) for s in [2 + 2])  # a scalar for each layer of both stacks
    assert abs(counted.parameters - sum(own.values()) - buffers) < 1000  # the vision tower has buffers too
    packable = [p for n, p in tiny_gemma.model().named_parameters() if memory_budget.packed_as(n, "int8")]
    assert sorted(counted.packable) == sorted(tuple(p.shape) for p in packable)
    assert counted.tables == (tuple(tiny_gemma.model().lm_head.weight.shape),)
