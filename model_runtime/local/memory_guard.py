"""torch reports exhausted memory in three ways; each becomes `OutOfMemory`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from model_runtime.diffusion.interface import OutOfMemory

_SAID = "out of memory; use a smaller model or a shorter hole"


@contextmanager
def memory_guard() -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(_SAID) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory(_SAID) from error
