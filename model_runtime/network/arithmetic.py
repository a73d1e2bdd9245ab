"""How a CPU multiplies: as int8 where torch has a fast product of bytes, else in fp32. For the network of
`modules` both are a `Matrix`; nobody else knows which it is. An `Int8Linear` is a layer of transformers'
classes whose weight has become bytes.

An `Int8Matrix` keeps its weights as bytes with a scale for each output row. What it multiplies is rounded for
each row alone, so that a result does not depend on the other rows of its batch or piece. Sums are exact
integers. Pure tensors: knows no file and no layer.
"""

from __future__ import annotations

import warnings
from typing import Any, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.network import quantized_layers

KINDS = FLOAT32, INT8 = "float32", "int8"
ENGINE = "fbgemm"  # torch's kernels for x86; they choose among AVX2, AVX-512 and VNNI themselves
# A row's largest magnitude becomes so much. A byte would have room for 127; but AVX2 without VNNI adds two
# products in 16 bits, and 2 x 127 x 127 is the most that these hold.
LARGEST = 63
# A row whose largest magnitude is more than so many times its root mean square would be rounded too coarsely:
# by more than 4.6 % of that. Normally distributed values stay below 6.
OUTLYING = 10.0
_TINY = 1e-12  # keeps a row of zeros from being divided by zero


def best() -> str:
    """What is fastest on this machine's CPU. fbgemm is there from AVX2 on."""
    return INT8 if ENGINE in torch.backends.quantized.supported_engines else FLOAT32


class Matrix(Protocol):
    """A linear layer without a bias."""

    def __call__(self, rows: Tensor) -> Tensor:
        """fp32 [..., in] -> fp32 [..., out]."""
        ...


class Float32Matrix:
    def __init__(self, weight: Tensor) -> None:
        self._weight = weight

    def __call__(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self._weight)


class Int8Matrix:
    def __init__(self, weight: Tensor) -> None:
        self._set(*quantized_layers.pack(weight, "int8"))

    @classmethod
    def of(cls, small: Tensor, scale: Tensor) -> Self:
        """From what `quantized_layers.pack` returns."""
        made = cls.__new__(cls)
        made._set(small, scale)
        return made

    def _set(self, small: Tensor, scale: Tensor) -> None:
        self._packed = _packed(small, scale[:, 0])
        self._multiply: Any = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default

    def __call__(self, rows: Tensor) -> Tensor:
        largest = rows.abs().amax(-1, keepdim=True).clamp_min_(_TINY)
        return self._multiply(rows / largest, 1 / LARGEST, LARGEST + 1, self._packed).mul_(largest)


class FineInt8Matrix(Int8Matrix):
    """For values of which a few stand out, as in language models: a row that these make too coarse is
    multiplied twice, once as it is rounded, and once what that took away from it, rounded again."""

    def __call__(self, rows: Tensor) -> Tensor:
        flat = rows.flatten(0, -2)
        largest = flat.abs().amax(-1, keepdim=True).clamp_min_(_TINY)
        scaled = flat * (LARGEST / largest)
        whole = scaled.round()
        found = self._multiply(whole, 1.0, LARGEST + 1, self._packed)
        usual = torch.linalg.vector_norm(flat, dim=-1, keepdim=True) / flat.shape[-1] ** 0.5
        coarse = (largest > OUTLYING * usual)[:, 0].nonzero()[:, 0]
        if len(coarse):
            rest = scaled[coarse].sub_(whole[coarse]).mul_(2 * LARGEST)
            found[coarse] += self._multiply(rest, 1.0, LARGEST + 1, self._packed).div_(2 * LARGEST)
        return found.mul_(largest / LARGEST).unflatten(0, rows.shape[:-1])


class Int8Linear(nn.Linear):
    """A linear layer whose weight is a `matrix`."""

    matrix: Matrix

    def forward(self, input: Tensor) -> Tensor:
        found = self.matrix(input.float()).to(input.dtype)
        return found if self.bias is None else found.add_(self.bias)


def attach(layer: Any, small: Tensor, scale: Tensor) -> None:
    """Give an nn.Linear what `quantized_layers.pack` made of its weight as int8."""
    layer.weight = None
    layer.__class__ = Int8Linear
    layer.matrix = FineInt8Matrix.of(small, scale)


def matrix(weight: Tensor, kind: str) -> Matrix:
    """`weight`: fp32 [out, in]."""
    return Int8Matrix(weight) if kind == INT8 else Float32Matrix(weight)


def _packed(small: Tensor, scale: Tensor) -> Any:
    """int8 [out, in] and fp32 [out], laid out for the product."""
    engines: Any = torch.backends.quantized
    zeros = torch.zeros(len(scale), dtype=torch.long)
    make: Any = torch._make_per_channel_quantized_tensor  # pyright: ignore[reportPrivateImportUsage]
    before, engines.engine = engines.engine, ENGINE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's quantised tensors are deprecated, this product is not
            stored = make(small, scale.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(stored, None)
    finally:
        engines.engine = before
