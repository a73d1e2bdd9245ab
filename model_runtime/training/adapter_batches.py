"""Batches that an adapter learns from: holes in one's own code.

For the embedded model they are made as in its training; for a model that follows instructions each hole has
the prompt that the engine would give it. What is learnt from them is not decided here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
from msgspec.structs import replace as replace_fields

from model_runtime.loading.prompt_setup import Prompting
from model_runtime.prompting.layout import Layout, LayoutError
from model_runtime.protocol import Infill
from model_runtime.training import calibrate, held_out
from model_runtime.training.batches import Batch, BatchMaker
from model_runtime.training.corpus import Document
from model_runtime.training.documents import tokenize
from model_runtime.training.holes import cut_hole

SLACK = (8, 12, 16, 24, 32, 48)  # tokens of a hole, its filler included
CANVASES, WIDTH, LENGTH = 8, 96, 320  # of a batch for the embedded model: K, C and P of `Batch`


def hole_batches(prompting: Prompting, documents: Sequence[Document], seed: int) -> Iterator[Batch]:
    """Batches of holes in these documents, without end; the same for the same seed."""
    if prompting.chat:
        yield from ChatBatches(prompting, documents, seed)
        return
    maker = BatchMaker([tokenize(d.text, prompting.tokens) for d in documents], prompting.tokens, seed)
    for step in count():
        yield maker.draw(step, 1, CANVASES, WIDTH, LENGTH)


class ChatBatches:
    """Holes with the prompt that the engine would give them, one a batch."""

    def __init__(self, prompting: Prompting, documents: Sequence[Document], seed: int) -> None:
        self._prompting = prompting
        self._documents = [d for d in documents if d.text.strip()]
        self._random = random.Random(seed)

    def __iter__(self) -> Iterator[Batch]:
        weights = [len(document.text) for document in self._documents]
        while True:
            (document,) = self._random.choices(self._documents, weights)
            text = document.text.removesuffix("\n")
            lines = text.split("\n")
            cut = cut_hole(lines, self._random.randrange(len(lines)), self._random)
            if cut is None:
                continue
            request = calibrate.request(held_out.whole(document, text, cut))
            try:
                layout = _lay(self._prompting, request, document.path)
            except LayoutError:
                continue
            if batch := self._batch(layout, cut.middle):
                yield batch

    def _batch(self, layout: Layout, middle: str) -> Batch | None:
        tokens = self._prompting.tokens
        ids = tokens.encode(middle)
        sizes = [size for size in SLACK if len(ids) < size <= layout.slots[0] + 1]
        filler = tokens.profile.filler
        if not sizes or filler is None:
            return None
        slot = self._random.choice(sizes)
        content = [*ids, *[filler] * (slot - len(ids))]
        row = layout.row([content], layout.fixed_width([slot]))
        hole = [not pinned for pinned in row.pinned]
        start = hole.index(True)
        after = [start + len(ids) < at < start + slot for at in range(len(hole))]
        return Batch(
            torch.tensor([layout.prompt]),
            torch.tensor([list(row.ids)]),
            torch.tensor([hole]),
            torch.tensor([after]),
            torch.tensor([[len(layout.prompt)]]),
            len(hole),
        )


def _lay(prompting: Prompting, request: Infill, path: str) -> Layout:
    """As the engine does it. The requests of `calibrate` name no language; a chat prompt needs one."""
    if prompting.chat is None:
        return prompting.tokens.lay(request)
    suffix = Path(path).suffix
    language = {".py": "python"}.get(suffix, suffix[1:])
    return prompting.chat.lay(replace_fields(request, language=language))
