"""Weights that stay small in memory: int8, fp8 or int4 with scales, widened where they are multiplied.

Every matrix [..., out, in] is stored in fewer bits with a scale for each output row (int8, fp8) or for each
group of `GROUP` inputs (int4). For a product, `pieces` of at most `WIDENED` elements are widened to the
activations' dtype, one at a time; the table of tokens is no exception. `pack` is also the packer of the int8
files that ship (`loading/int8_file`). Pure tensors and modules: knows no checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.network.memory_budget import GROUP, WIDENED

SCALE = "_scale"  # a matrix's scales are a buffer of its module, named like the matrix with this suffix
SCALED_GROUPED = (9, 0)  # compute capability from which torch multiplies fp8 groups as they are
_PACKED_AT_ONCE = 2**24  # elements that are fp32 at once while a matrix is packed
_ALIGNED = 64  # pieces of a matrix begin at multiples of so many rows, which grouped products need
_FP8 = torch.float8_e4m3fn


def pack(weight: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """[..., out, in] -> (packed, scale): int8 or fp8 of the same shape with scale [..., out, 1], or two
    int4 a byte [..., out, in / 2] with bf16 scale [..., out, in / group]. Other scales are fp32."""
    if kind == "int8":
        scale = row_scale(weight, 127.0)
        return (weight.float() / scale).round().to(torch.int8), scale
    if kind == "fp8":
        scale = row_scale(weight, torch.finfo(_FP8).max)
        return (weight.float() / scale).to(_FP8), scale
    group = math.gcd(weight.shape[-1], GROUP)
    grouped = weight.float().unflatten(-1, (-1, group))
    scale = row_scale(grouped, 7.0).bfloat16()
    whole = ((grouped / scale).round().clamp(-7, 7) + 8).to(torch.uint8).flatten(-2)
    return whole[..., 0::2] | (whole[..., 1::2] << 4), scale[..., 0]


def pack_slowly(weight: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """As `pack`, with the same result, but some rows at a time: no large tensor is ever whole in fp32."""
    rows = weight.flatten(0, -2)
    count = max(1, _PACKED_AT_ONCE // rows.shape[-1])
    small, scale = pack(rows[:count], kind)
    if len(rows) > count:
        first = (small, scale)
        small, scale = (part.new_empty(len(rows), part.shape[-1]) for part in first)
        small[:count], scale[:count] = first
        for at in range(count, len(rows), count):
            small[at : at + count], scale[at : at + count] = pack(rows[at : at + count], kind)
    return small.unflatten(0, weight.shape[:-1]), scale.unflatten(0, weight.shape[:-1])


def attach(module: Any, name: str, scale: Tensor, dtype: torch.dtype) -> None:
    """Give a module the scales of its packed matrix `name`. `dtype`: what the model computes in."""
    module.register_buffer(name + SCALE, scale, persistent=False)
    if isinstance(module, nn.Linear):
        module.__class__ = PackedLinear
    elif isinstance(module, nn.Embedding):
        table: Any = module
        table.__class__, table.wide = PackedTable, dtype
        if not hasattr(table, "embed_scale"):  # a plain embedding
            table.register_buffer("embed_scale", torch.ones((), device=scale.device), persistent=False)


def row_scale(weight: Tensor, most: float) -> Tensor:
    """fp32 [..., 1]: the largest magnitude of a row becomes `most`."""
    return weight.float().abs().amax(-1, keepdim=True).clamp_min(1e-12) / most


def unpack(packed: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Off by at most half a scale (int8, int4), or by a sixteenth of a value (fp8)."""
    if packed.dtype != torch.uint8:
        return packed.to(dtype).mul_(scale.to(dtype))
    whole = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(dtype).sub_(8)
    return whole.unflatten(-1, (scale.shape[-1], -1)).mul_(scale[..., None].to(dtype)).flatten(-2)


def pieces(packed: Tensor, scale: Tensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """A matrix [..., out, in], widened some rows at a time: [..., part of out, in]."""
    row = packed[..., :1, :].numel() * (2 if packed.dtype == torch.uint8 else 1)
    count = max(_ALIGNED, WIDENED // row // _ALIGNED * _ALIGNED)
    for small, own in zip(packed.split(count, dim=-2), scale.split(count, dim=-2), strict=True):
        yield unpack(small, own, dtype)


class PackedLinear(nn.Linear):
    """A linear layer whose weight has been packed."""

    weight_scale: Tensor

    def forward(self, input: Tensor) -> Tensor:
        if self.weight.dtype == _FP8 and multiplies_fp8(self.weight.device):
            found = _linear_fp8(input, self.weight, self.weight_scale)
        else:
            wide = pieces(self.weight, self.weight_scale, input.dtype)
            found = _joined([F.linear(input, some) for some in wide])
        return found if self.bias is None else found + self.bias


class PackedTable(nn.Embedding):
    """The scaled embedding of tokens, whose table has been packed."""

    weight_scale: Tensor
    embed_scale: Tensor
    wide: torch.dtype

    def forward(self, input: Tensor) -> Tensor:
        rows = unpack(F.embedding(input, self.weight), F.embedding(input, self.weight_scale), self.wide)
        return rows * self.embed_scale.to(self.wide)

    def mixed(self, probabilities: Tensor) -> Tensor:
        """The embedding [..., H] of a distribution [..., V] over tokens; summed in fp32."""
        total, at = None, 0
        for wide in pieces(self.weight, self.weight_scale, self.wide):
            some = (probabilities[..., at : at + len(wide)].to(self.wide) @ wide).float()
            total, at = some if total is None else total + some, at + len(wide)
        assert total is not None
        return total.to(self.wide) * self.embed_scale.to(self.wide)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def experts(self: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """The experts `index` [T, k] that rows `hidden` [T, H] are routed to with `weights` [T, k], on packed
    matrices -> [T, H]. Grouped products, no synchronisation with the host."""
    count, used = self.gate_up_proj.shape[0], index.shape[1]
    chosen = index.flatten()
    order = chosen.argsort(stable=True)
    numbers = torch.arange(count, device=chosen.device)  # bincount would wait for the device
    ends = (chosen[None, :] <= numbers[:, None]).sum(1).to(torch.int32)
    rows = hidden[order // used]
    gate, up = _grouped(self, "gate_up_proj", rows, ends).chunk(2, dim=-1)
    outer = _grouped(self, "down_proj", self.act_fn(gate) * up, ends)
    outer = outer * weights.flatten()[order, None].to(outer.dtype)
    return torch.zeros_like(hidden).index_add_(0, order // used, outer.to(hidden.dtype))


def _grouped(module: Any, name: str, rows: Tensor, ends: Tensor) -> Tensor:
    weight, scale = getattr(module, name), getattr(module, name + SCALE)
    if weight.dtype == _FP8 and multiplies_fp8(weight.device):
        return _grouped_fp8(rows, weight, scale, ends)
    wide = pieces(weight, scale, rows.dtype)
    return _joined([F.grouped_mm(rows, some.transpose(-2, -1), offs=ends) for some in wide])


def multiplies_fp8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= SCALED_GROUPED


def _linear_fp8(input: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """As `_grouped_fp8`, for one matrix, without its bias."""
    rows = input.flatten(0, -2)
    row_scales = row_scale(rows, torch.finfo(_FP8).max)
    small = (rows.float() / row_scales).to(_FP8)
    multiply: Any = torch._scaled_mm  # pyright: ignore[reportPrivateImportUsage]
    outer = multiply(small, weight.t(), row_scales, scale.t(), out_dtype=input.dtype, use_fast_accum=True)
    return outer.unflatten(0, input.shape[:-1])


def _grouped_fp8(rows: Tensor, weight: Tensor, scale: Tensor, ends: Tensor) -> Tensor:
    """A grouped product in fp8: rows are rounded to fp8 too, each with its own scale; nothing is widened."""
    row_scales = row_scale(rows, torch.finfo(_FP8).max)
    small = (rows.float() / row_scales).to(_FP8)
    multiply: Any = torch._scaled_grouped_mm  # pyright: ignore[reportPrivateImportUsage]
    return multiply(
        small,
        weight.transpose(-2, -1),
        row_scales[:, 0],
        scale[..., 0],
        offs=ends,
        out_dtype=rows.dtype,
        use_fast_accum=True,
    )
