"""A source file in tokens, by lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Encoder(Protocol):
    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class TokenizedDocument:
    lines: Sequence[str]  # without line ends
    ids: np.ndarray  # uint16, all lines with their newline tokens
    starts: np.ndarray  # int32 [len(lines) + 1]: first token of each line
    project: str = ""  # documents of one project are each other's context
    path: str = ""

    def between(self, first: int, end: int) -> list[int]:
        """The ids of the lines from `first` on, without line `end`."""
        return self.ids[int(self.starts[first]) : int(self.starts[end])].tolist()


def tokenize(text: str, tokenizer: Encoder, project: str = "", path: str = "") -> TokenizedDocument:
    """Of a tokenizer with fewer than 65,536 ids, in which a newline is always a token of its own."""
    ids = np.asarray(tokenizer.encode(text if text.endswith("\n") else text + "\n"), dtype=np.uint16)
    lines = text.removesuffix("\n").split("\n")
    starts = line_starts(ids, tokenizer.encode("\n")[0])
    assert len(starts) == len(lines) + 1, "a newline must always be a token of its own"
    return TokenizedDocument(lines, ids, starts, project, path)


def line_starts(ids: np.ndarray, newline: int) -> np.ndarray:
    """The first token of each line, and where the last one ends."""
    return np.concatenate([[0], np.flatnonzero(ids == newline) + 1]).astype(np.int32)
