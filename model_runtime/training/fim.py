"""Examples in fill-in-the-middle order (arXiv 2207.14255): the missing text comes last.

From them a causal model learns to fill holes with the suffix in sight: the embedded model's encoder in a
share of its documents, and the autoregressive model that the denoiser is compared with in nearly all.
"""

from __future__ import annotations

import random

import numpy as np

from model_runtime.prompting import profiles
from model_runtime.prompting.fim import MiddleLast
from model_runtime.training.canvases import MAX_SLOT
from model_runtime.training.documents import Encoder, TokenizedDocument
from model_runtime.training.holes import cut_hole
from model_runtime.training.vocabulary import BOS, EOS, MIDDLE, SUFFIX

ORDER = MiddleLast(SUFFIX, MIDDLE, EOS, profiles.FOLLOWING)
SHORTEST = 192  # tokens of an example, where there is room: rows hold several
RIVAL = 0.9  # share of examples in this order for the autoregressive model


def example(
    document: TokenizedDocument, line: int, size: int, tokenizer: Encoder, rng: random.Random
) -> list[int] | None:
    """A prompt and its middle in at most `size` tokens; None where the line has no such hole."""
    cut = cut_hole(document.lines, line, rng)
    if cut is None or not 0 < len(middle := tokenizer.encode(cut.middle)) < MAX_SLOT:
        return None
    head = tokenizer.encode(cut.head)
    rest = document.ids[document.starts[cut.next_line] :][: ORDER.most].tolist()
    following = [*tokenizer.encode(cut.tail + "\n"), *rest, EOS]
    room = size - len(ORDER.question([BOS, *head], following)) - len(middle) - 1
    if room < 0:
        return None
    end = int(document.starts[line])
    first = int(np.searchsorted(document.starts, max(0, end - room)))  # whole lines only
    prefix = [BOS, *document.between(first, line), *head]
    return [*ORDER.question(prefix, following), *middle, ORDER.end]
