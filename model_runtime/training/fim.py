"""Examples in fill-in-the-middle order (arXiv 2207.14255): a question, then the missing text that answers it.

From them a causal model learns to fill holes with what follows in sight: the embedded model's encoder, and
the autoregressive model that the denoiser is compared with. Like a canvas, an example goes on from a sequence
that is encoded once for many of them, so that far more of what is computed is text that is learnt than where
each example has its own prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.prompting.fim import MiddleLast
from model_runtime.prompting.profiles import FOLLOWING, NEAR
from model_runtime.training.canvases import LEAST_SUFFIX
from model_runtime.training.documents import Encoder, TokenizedDocument
from model_runtime.training.holes import HoleCut
from model_runtime.training.vocabulary import EOS, MIDDLE, SUFFIX

ORDER = MiddleLast(SUFFIX, MIDDLE, EOS, FOLLOWING, NEAR)
WIDTH = 80  # tokens of an example


@dataclass(frozen=True)
class Example:
    ids: list[int]  # after the sequence up to `cut`, at most WIDTH
    answer: int  # where in them the missing text begins
    cut: int


def example(
    prompt: Sequence[int], head: Sequence[int], document: TokenizedDocument, hole: HoleCut, tokenizer: Encoder
) -> Example | None:
    """Of a hole after these ids, those of its own line and of lines before it in `head`. None where it does
    not fit."""
    rest = document.ids[document.starts[hole.next_line] :][:WIDTH].tolist()
    following = [*tokenizer.encode(hole.tail + "\n"), *rest, EOS]
    answer = [*tokenizer.encode(hole.middle), ORDER.end]
    stays, bare = ORDER.question(prompt, head, [])
    room = WIDTH - len(bare) - len(answer)
    if room < LEAST_SUFFIX:
        return None
    _, question = ORDER.question(prompt, head, following[:room])
    return Example([*question, *answer], len(question), len(stays))
