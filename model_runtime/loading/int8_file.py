"""Weights as int8, for a model that ships inside a package: half the bytes of bf16.

Every matrix is stored as int8 with one scale for each output row (symmetric, by the largest magnitude),
packed as `network/quantized_layers` packs; vectors are stored as fp32. This is about the file only: what is
read from it is fp32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model_runtime.network import quantized_layers

from .checkpoint import PACKED_FILE

_SCALE = ".int8_scale"  # suffix of a matrix's scales in the file


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


class Unpacked(Mapping[str, Tensor]):
    """fp32 weights by name, off by at most half a scale. Each is unpacked when it is asked for, so that no
    more of them are in memory than are held."""

    def __init__(self, packed: Mapping[str, Tensor]) -> None:
        self._packed = packed

    def __getitem__(self, name: str) -> Tensor:
        value, scale = self._packed[name], self._packed.get(name + _SCALE)
        return value if scale is None else quantized_layers.unpack(value, scale, torch.float32)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._packed if not name.endswith(_SCALE))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def save(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Write the file. Of names that share a tensor, only the first is stored."""
    seen: set[int] = set()
    own = {n: w for n, w in weights.items() if not (w.data_ptr() in seen or seen.add(w.data_ptr()))}
    save_file(pack(own), folder / PACKED_FILE)
    (folder / PACKED_FILE).chmod(0o644)


def load(folder: Path) -> Unpacked:
    return Unpacked(load_file(folder / PACKED_FILE))
