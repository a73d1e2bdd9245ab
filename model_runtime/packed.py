"""Weights that stay small in memory: int8, fp8 or int4 with scales, widened where they are multiplied.

Every matrix [..., out, in] is stored in fewer bits with a scale for each output row (int8, fp8) or for each
group of `GROUP` inputs (int4). A layer or an expert is widened to the activations' dtype for as long as its
product takes. Pure tensors and modules: knows no checkpoint.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.fitting import GROUP

SCALE = "_scale"  # a matrix's scales are its module's buffer of that name and this suffix
SCALED_GROUPED = (9, 0)  # compute capability from which torch multiplies fp8 groups as they are
_FP8 = torch.float8_e4m3fn


def pack(weight: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """[..., out, in] -> (packed, scale): int8 or fp8 of the same shape with scale [..., out, 1], or two
    int4 a byte [..., out, in / 2] with scale [..., out, in / group]."""
    if kind == "int8":
        scale = row_scale(weight, 127.0)
        return (weight.float() / scale).round().to(torch.int8), scale
    if kind == "fp8":
        scale = row_scale(weight, torch.finfo(_FP8).max)
        return (weight.float() / scale).to(_FP8), scale
    group = math.gcd(weight.shape[-1], GROUP)
    grouped = weight.float().unflatten(-1, (-1, group))
    scale = row_scale(grouped, 7.0)
    whole = ((grouped / scale).round().clamp(-7, 7) + 8).to(torch.uint8).flatten(-2)
    return whole[..., 0::2] | (whole[..., 1::2] << 4), scale[..., 0]


def pack_slowly(weight: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """As `pack`, one matrix after another: experts of a layer are never all there in fp32."""
    if weight.dim() < 3:
        return pack(weight, kind)
    parts = [pack(matrix, kind) for matrix in weight]
    return torch.stack([small for small, _ in parts]), torch.stack([scale for _, scale in parts])


def attach(module: nn.Module, name: str, scale: Tensor) -> None:
    """Scales to where their matrix is used."""
    module.register_buffer(name + SCALE, scale, persistent=False)
    if isinstance(module, nn.Linear):
        module.__class__ = PackedLinear


def row_scale(weight: Tensor, most: float) -> Tensor:
    """fp32 [..., 1]: the largest magnitude of a row becomes `most`."""
    return weight.float().abs().amax(-1, keepdim=True).clamp_min(1e-12) / most


def unpack(packed: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Off by at most half a scale (int8, int4), or by a sixteenth of a value (fp8)."""
    if packed.dtype != torch.uint8:
        return packed.to(dtype) * scale.to(dtype)
    whole = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(dtype) - 8
    return (whole.unflatten(-1, (scale.shape[-1], -1)) * scale[..., None].to(dtype)).flatten(-2)


class PackedLinear(nn.Linear):
    """A linear layer whose weight has been packed."""

    weight_scale: Tensor

    def forward(self, input: Tensor) -> Tensor:
        if self.weight.dtype == _FP8 and multiplies_fp8(self.weight.device):
            return _linear_fp8(input, self.weight, self.weight_scale)
        return F.linear(input, unpack(self.weight, self.weight_scale, input.dtype), self.bias)


def experts(self: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """The experts that rows [T, H] are routed to, [T, k] each, on packed weights -> [T, H]. One grouped
    product, no synchronisation with the host."""
    count, used = self.gate_up_proj.shape[0], index.shape[1]
    chosen = index.flatten()
    order = chosen.argsort(stable=True)
    numbers = torch.arange(count, device=chosen.device)  # not bincount, which waits for the device
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
    return F.grouped_mm(rows, unpack(weight, scale, rows.dtype).transpose(-2, -1), offs=ends)


def multiplies_fp8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= SCALED_GROUPED


def _linear_fp8(input: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """As `_grouped_fp8`, for one matrix without a bias, as all of this model's are."""
    rows = input.flatten(0, -2)
    row_scales = row_scale(rows, torch.finfo(_FP8).max)
    small = (rows.float() / row_scales).to(_FP8)
    multiply: Any = torch._scaled_mm  # pyright: ignore[reportPrivateImportUsage]
    outer = multiply(small, weight.t(), row_scales, scale.t(), out_dtype=input.dtype, use_fast_accum=True)
    return outer.unflatten(0, input.shape[:-1])


def _grouped_fp8(rows: Tensor, weight: Tensor, scale: Tensor, ends: Tensor) -> Tensor:
    """Rows are rounded to fp8 too, each with a scale of its own, and nothing is widened."""
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
