"""How the network of `modules` multiplies on a CPU: as int8 where torch has a fast product of bytes, else in
fp32. Both are a `Matrix`; nobody else knows which it is.

An `Int8Matrix` keeps its weights as bytes with a scale for each output row. What it multiplies is rounded for
each row alone, so that a result does not depend on the other rows of its batch or piece. Sums are exact
integers. Pure tensors: knows no file and no layer.
"""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.network import quantized_layers

KINDS = FLOAT32, INT8 = "float32", "int8"
ENGINE = "fbgemm"  # torch's kernels for x86; they choose among AVX2, AVX-512 and VNNI themselves
# A row's largest magnitude becomes so much. A byte would have room for 127; but AVX2 without VNNI adds two
# products in 16 bits, and 2 x 127 x 127 is the most that these hold.
LARGEST = 63
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
        small, scale = quantized_layers.pack(weight, "int8")
        self._packed = _packed(small, scale[:, 0])
        self._multiply: Any = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default

    def __call__(self, rows: Tensor) -> Tensor:
        largest = rows.abs().amax(-1, keepdim=True).clamp_min_(_TINY)
        return self._multiply(rows / largest, 1 / LARGEST, LARGEST + 1, self._packed).mul_(largest)


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
