"""A tokenizer and batches for the tests of training."""

from __future__ import annotations

from model_runtime.training import batches, documents
from tests.support import tiny


class Ids:
    def encode(self, text: str) -> list[int]:
        return tiny.tokenizer().encode(text, add_special_tokens=False).ids


def maker(seed: int = 0, mix: batches.Mix | None = None, short: bool = False) -> batches.BatchMaker:
    """Of two documents of one project, or of many short ones."""
    texts = {"tiny.py": tiny.SOURCE, "half.py": tiny.SOURCE[: len(tiny.SOURCE) // 2].rpartition("\n")[0]}
    if short:
        lines = tiny.SOURCE.splitlines(keepends=True)
        texts = {f"{i}.py": "".join(lines[i : i + 30]) for i in range(0, len(lines), 30)}
    read = [documents.tokenize(text, Ids(), "p", path) for path, text in texts.items()]
    return batches.BatchMaker(read, Ids(), seed, mix)
