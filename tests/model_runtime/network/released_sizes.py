"""The sizes of the released model, for arithmetic about memory."""

from __future__ import annotations

from model_runtime.network import memory_budget
from model_runtime.network.memory_budget import Keys, Weights, Working

# Experts and linear layers of 30 layers; embedding, norms and vision tower.
RELEASED = Weights(
    packable=(
        *([(128, 1408, 2816), (128, 2816, 704), (2112, 2816), (2112, 2816), (2816, 2112)] * 30),
        *([(4096, 2816), (2048, 2816), (2048, 2816), (2816, 4096)] * 25),
        *([(8192, 2816), (1024, 2816), (2816, 8192)] * 5),
        *([(2112, 2816), (2112, 2816), (2816, 2112)]),
    ),
    rest=11_000_000 + 560_000_000,
    tables=((262_144, 2816),),
)
KEYS = Keys(windowed=2 * 25 * 8 * 256, full=2 * 5 * 2 * 512, window=1024)
WORKING = Working(262_144 * 256, KEYS.taken(memory_budget.LEAST_CONTEXT))
