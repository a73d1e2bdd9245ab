"""Batches drawn by other processes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch

from model_runtime.training import loader, source, token_file
from model_runtime.training.corpus import Document
from model_runtime.training.plan import Plan
from model_runtime.training.source import Drawing
from tests.model_runtime.training.test_token_file import TEXTS, packed


def test_processes_draw_the_same_batches_in_order(tmp_path: Path) -> None:
    folder = token_file.open_packed(packed(tmp_path / "corpus.xz"), tmp_path / "open").folder
    plan = Plan("tiny", 600, rows=1, canvases=2, causal_steps=4)
    steps = loader.Steps(Drawing(folder, plan), plan)
    by_processes = list(islice(loader.batches(steps, 3, torch.device("cpu"), processes=2), 5))
    by_thread = list(islice(loader.batches(steps, 3, torch.device("cpu")), 5))
    assert [batch.cuts.shape[1] for batch in by_processes] == [0, 2, 2, 2, 2]
    for mine, theirs in zip(by_processes, by_thread, strict=True):
        assert torch.equal(mine.sequence, theirs.sequence)
        assert torch.equal(mine.canvas, theirs.canvas)


def test_a_packed_corpus_as_the_texts_that_it_was_made_of(tmp_path: Path) -> None:
    learnt, unseen = source.texts(token_file.open_packed(packed(tmp_path / "corpus.xz"), tmp_path / "open"))
    assert learnt == [Document("p", "MIT", path, TEXTS[path]) for path in ("a/one.py", "a/two.py")]
    assert unseen == [Document("q", "BSD", "b.py", TEXTS["b.py"])]
