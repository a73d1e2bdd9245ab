"""Logits that say what a test wants: a vocabulary of twelve ids, three of them marks."""

from __future__ import annotations

import torch
from torch import Tensor

from model_runtime.diffusion.sampler import SeededNoise

VOCABULARY = 12
MASK, EXPAND, DELETE = 1, 2, 3
NOISE = SeededNoise(VOCABULARY, 0, torch.device("cpu"))


def logits(*wanted: tuple[int, float], second: int = 11) -> Tensor:
    """[N, V]: at each position the wanted token has the given probability, `second` nearly all of the
    rest."""
    table = torch.full((len(wanted), VOCABULARY), 1e-9)
    for row, (token, chance) in zip(table, wanted, strict=True):
        row[second] = 1 - chance
        row[token] = chance
    return table.log()
