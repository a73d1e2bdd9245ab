"""bf16 only where there are instructions for it."""

from __future__ import annotations

import pytest
import torch

from model_runtime.training import arithmetic, muon


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"),
    [(False, False, torch.float32), (True, False, torch.bfloat16), (False, True, torch.bfloat16)],
)
def test_a_processor_without_bf16_computes_in_fp32(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    arithmetic.matrix_type.cache_clear()
    try:
        assert arithmetic.matrix_type("cpu") == expected
        assert arithmetic.matrix_type("cuda") == torch.bfloat16
        used: list[torch.dtype] = []
        norm = torch.Tensor.norm
        monkeypatch.setattr(torch.Tensor, "norm", lambda x, **how: used.append(x.dtype) or norm(x, **how))
        muon.orthogonalize(torch.randn(1, 4, 8))
        assert used == [expected]
    finally:
        arithmetic.matrix_type.cache_clear()
