"""A checkpoint packed while it is loaded: as small as counted, and near the one that is not packed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from model_runtime.diffusion.interface import Branch
from model_runtime.loading import checkpoint, model
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network import memory_budget
from model_runtime.protocol import Choice
from tests.support import tiny_gemma


def on_cpu(folder: Path, **changes: str) -> Choice:
    return Choice(model=str(folder), device="cpu", **changes)


def random_ids(n: int, seed: int = 0) -> list[int]:
    return torch.randint(8, 500, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("kind", ["int8", "fp8", "int4"])
def test_a_packed_model_is_small_and_writes_much_the_same(tmp_path: Path, kind: str) -> None:
    folder = tiny_gemma.write(tmp_path)
    plain, small = (model.load(on_cpu(folder, quantization=q)).denoiser for q in ("none", kind))

    def size(of: LocalDenoiser) -> int:
        named = dict(of.model.named_parameters())
        wanted = (p for name, p in named.items() if memory_budget.packed_as(name, "int8"))
        return sum(p.numel() * p.element_size() for p in wanted)

    assert size(small) == size(plain) // (8 if kind == "int4" else 4)
    table, head = small.model.model.decoder.embed_tokens.weight, small.model.lm_head.weight
    assert table is head is small.model.model.encoder.language_model.embed_tokens.weight
    assert table.dtype == (torch.int8 if kind == "int4" else torch.float32)
    held = {id(t): t for t in (*small.model.parameters(), *small.model.buffers())}.values()
    counted = memory_budget.weight_bytes(checkpoint.examine(folder, "x").weights(), "float32", kind)
    assert sum(t.numel() * t.element_size() for t in held) == pytest.approx(counted, rel=0.02)
    branch = Branch(random_ids(6))
    ours, theirs = (of.score(random_ids(80), [], [branch])[0].ids for of in (small, plain))
    assert ours == pytest.approx(theirs, abs=0.2)
    assert ours != theirs


def test_what_int4_saves_beside_the_matrices_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table as int8 and scales in bf16 add at most a tenth to the error that int4 has without them."""
    folder, prompt = tiny_gemma.write(tmp_path), random_ids(80)
    branch = Branch(random_ids(300, seed=1))

    def told(**changes: str) -> torch.Tensor:
        denoiser = model.load(on_cpu(folder, **changes)).denoiser
        return torch.tensor(denoiser.score(prompt, [], [branch])[0].ids)

    plain, small = told(), told(quantization="int4")
    with monkeypatch.context() as patch:
        patch.setattr(memory_budget, "_TABLE", re.compile("none"))
        patch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor)
        without = told(quantization="int4")
    assert not torch.equal(small, without)
    error, least = ((found - plain).abs().mean() for found in (small, without))
    assert error < 1.1 * least
