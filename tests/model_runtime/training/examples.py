"""A tokenizer and batches for the tests of training."""

from __future__ import annotations

from model_runtime.training import batches
from tests.support import tiny


class Ids:
    def encode(self, text: str) -> list[int]:
        return tiny.tokenizer().encode(text, add_special_tokens=False).ids


def maker(seed: int = 0) -> batches.BatchMaker:
    return batches.BatchMaker([batches.tokenize(tiny.SOURCE, Ids())], Ids(), seed)
