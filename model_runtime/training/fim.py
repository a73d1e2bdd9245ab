"""Fill-in-the-middle sequences (arXiv 2207.14255), from which an autoregressive model learns the same holes.

That model is a fair comparison for the denoiser: documents, holes (`holes`), tokenizer, network and context
are the same. But every sequence is permuted so that the missing text comes last, and the loss is the causal
one alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch

from model_runtime.training.batches import MAX_SLOT, Batch, BatchMaker, TokenizedDocument
from model_runtime.training.geometry import CONTEXT
from model_runtime.training.holes import cut_hole
from model_runtime.training.vocabulary import BOS, EOS, MIDDLE, PREFIX, SUFFIX

END = EOS  # after the middle
MAX_SUFFIX = 64  # tokens: about what a canvas has room for
MAX_PREFIX = CONTEXT - MAX_SUFFIX - MAX_SLOT - 4
SHORTEST = 192  # tokens of an example, where there is room: rows hold several
PLAIN = 0.1  # share of examples that are not permuted
TRIES = 8  # lines tried for a hole; after that the text is taken in order


def question(prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
    """The prompt, to be continued by the middle. The suffix is cut to MAX_SUFFIX, as in training."""
    return [BOS, PREFIX, *prefix, SUFFIX, *suffix[:MAX_SUFFIX], MIDDLE]


class FimMaker(BatchMaker):
    """Batches of permuted sequences, without canvases; deterministic for a seed and a step number."""

    def draw(self, step: int, rows: int, canvases: int, width: int, length: int = CONTEXT) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        none = torch.zeros(rows, 0, dtype=torch.long)
        sequences = torch.tensor([self._row(rng, length) for _ in range(rows)])
        return Batch(sequences, none, none.bool(), none.bool(), none, width)

    def _row(self, rng: random.Random, length: int) -> list[int]:
        ids: list[int] = []
        while (room := length - len(ids)) > 0:
            size = rng.randint(SHORTEST, room) if room > SHORTEST else room
            plain = rng.random() < PLAIN
            for attempt in range(TRIES):
                d = int(np.searchsorted(self.weights, rng.randrange(int(self.weights[-1])), side="right"))
                document = self.documents[d]
                line = rng.randrange(len(document.lines))
                if plain or attempt == TRIES - 1:
                    start = int(document.starts[line])
                    ids += [BOS, *document.ids[start : start + size - 1].tolist()]
                    break
                if example := self._example(rng, document, line, size):
                    ids += example
                    break
        return ids

    def _example(
        self, rng: random.Random, document: TokenizedDocument, line: int, size: int
    ) -> list[int] | None:
        """A prompt and its middle in at most `size` tokens; None where the line has no such hole."""
        cut = cut_hole(document.lines, line, rng)
        if cut is None or not 0 < len(middle := self.tokenizer.encode(cut.middle)) < MAX_SLOT:
            return None
        head = self.tokenizer.encode(cut.head)
        rest = document.ids[document.starts[cut.next_line] :][:MAX_SUFFIX].tolist()
        suffix = [*self.tokenizer.encode(cut.tail + "\n"), *rest, EOS][:MAX_SUFFIX]
        room = size - len(question(head, suffix)) - len(middle) - 1
        if room < 0:
            return None
        end = int(document.starts[line])
        first = int(np.searchsorted(document.starts, max(0, end - room)))  # whole lines only
        above = document.ids[int(document.starts[first]) : end].tolist()
        return [*question(above + head, suffix), *middle, END]
