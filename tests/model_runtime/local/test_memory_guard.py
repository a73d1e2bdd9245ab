"""Exhausted memory is one kind of error, whatever torch calls it."""

from __future__ import annotations

import pytest
import torch

from model_runtime.diffusion.interface import OutOfMemory
from model_runtime.local.memory_guard import memory_guard


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_exhausted_memory(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="use a smaller model or a shorter hole"), memory_guard():
        raise error


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_guard():
        raise RuntimeError("shape")
