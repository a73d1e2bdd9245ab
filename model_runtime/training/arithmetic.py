"""In which numbers a device multiplies matrices.

bf16 pays where there are instructions for it. A processor without them takes twenty times as long as for fp32
(AVX2 only, one thread, 256 x 512: 3.3 GFLOP/s instead of 68).
"""

from __future__ import annotations

import functools

import torch


@functools.cache
def matrix_type(device: str) -> torch.dtype:
    """By the device's type: bf16, or fp32 on a processor that has no instructions for bf16."""
    if device != "cpu":
        return torch.bfloat16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
