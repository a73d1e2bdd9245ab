"""Weights as int8, for a model that ships inside a package: half the bytes of bf16.

Every matrix is stored as int8 with one scale for each output row (symmetric, by the largest magnitude);
vectors keep their precision. This is about the file only: a model computes in floating point.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model_runtime.network import quantized_layers

FILE = "model.int8.safetensors"
_SCALE = ".int8_scale"  # suffix of a matrix's scales


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """name -> int8 [..., in] and name + suffix -> fp32 scale [..., 1] for matrices."""
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            packed[name] = weight.float().contiguous()
            continue
        small, packed[name + _SCALE] = quantized_layers.pack(weight, "int8")
        packed[name] = small.contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """fp32 weights; off by at most half a scale."""
    return {
        name: quantized_layers.unpack(value, packed[name + _SCALE], torch.float32)
        if name + _SCALE in packed
        else value
        for name, value in packed.items()
        if not name.endswith(_SCALE)
    }


def save(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Without tensors that are another name of one already there."""
    seen: set[int] = set()
    own = {n: w for n, w in weights.items() if not (w.data_ptr() in seen or seen.add(w.data_ptr()))}
    save_file(pack(own), folder / FILE)
    (folder / FILE).chmod(0o644)


def load(folder: Path) -> dict[str, Tensor]:
    return unpack(load_file(folder / FILE))
