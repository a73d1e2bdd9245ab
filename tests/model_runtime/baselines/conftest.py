"""One engine with a tiny random model, and the hole that the baselines are asked to fill."""

from __future__ import annotations

import pytest

from model_runtime.inference.engine import Engine
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.protocol import Fixed, Infill, Slot
from tests.support import tiny

PREFIX = "class A:\n    def __init__(self, price, size):\n        self.price = price\n"
REQUEST = Infill(0, "", PREFIX, (Fixed("        self.size ="), Slot(8), Fixed("\n        return self\n")))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("tiny", tiny.denoiser(PrefixCache(1 << 26)), tiny.tokens())
