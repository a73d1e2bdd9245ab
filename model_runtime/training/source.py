"""Where the documents of a run come from: a packed corpus, or what is installed on this machine.

Either way they are tokenized once, into a folder that processes map (`token_file`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from model_runtime.training import corpus, token_file
from model_runtime.training.batches import BatchMaker
from model_runtime.training.corpus import Document
from model_runtime.training.plan import Plan
from model_runtime.training.token_file import Contents, Origin, TokenFile
from model_runtime.training.vocabulary import Ids, train_tokenizer

CORPUS, TOKENIZER, TOKENS = "corpus.jsonl", "tokenizer.json", "tokens"  # in the data folder
VOCABULARY = 6144
SAMPLE = 3000  # documents that a tokenizer is made of


def prepare(folder: Path, sites: list[Path], stdlibs: list[Path]) -> TokenFile:
    """The corpus of what is installed: collected, and tokenized, unless that is done already."""
    if not (folder / CORPUS).exists():
        train, unseen = corpus.collect(corpus.projects(sites, stdlibs))
        corpus.save(folder / CORPUS, train, unseen)
        print(f"corpus: {len(train)} files to learn from, {len(unseen)} held out")
    if not (folder / TOKENIZER).exists():
        train, _ = corpus.load(folder / CORPUS)
        sample = random.Random(0).sample(train, min(SAMPLE, len(train)))
        train_tokenizer([d.text for d in sample], VOCABULARY).save(str(folder / TOKENIZER))
    if not (folder / TOKENS / token_file.CONTENTS).exists():
        _tokenize(folder)
    return TokenFile(folder / TOKENS)


def unpack(folder: Path, packed: Path) -> TokenFile:
    """A packed corpus. Its tokenizer is put where the export looks for it."""
    opened = token_file.open_packed(packed, folder / TOKENS)
    (folder / TOKENIZER).write_text(opened.contents.tokenizer, encoding="utf-8")
    return opened


def texts(opened: TokenFile) -> tuple[list[Document], list[Document]]:
    """(to learn from, held out) documents as text again."""
    licences = {name: licence for name, _, licence in opened.contents.projects}
    text_of = Ids(opened.tokenizer)
    learnt, unseen = (
        [
            Document(each.project, licences[each.project], each.path, text_of.decode(each.ids.tolist()))
            for each in opened.documents(held_out=held_out)
        ]
        for held_out in (False, True)
    )
    return learnt, unseen


def _tokenize(folder: Path) -> None:
    train, unseen = corpus.load(folder / CORPUS)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    ids = Ids(tokenizer)
    arrays = [
        np.asarray(ids.encode(d.text.removesuffix("\n") + "\n"), token_file.IDS) for d in train + unseen
    ]
    projects = {d.project: (d.project, "", d.licence) for d in train + unseen}
    number = {name: i for i, name in enumerate(projects)}
    origins = [
        Origin(number[d.project], d.path, len(a), i >= len(train))
        for i, (d, a) in enumerate(zip(train + unseen, arrays, strict=True))
    ]
    contents = Contents("", list(projects.values()), origins, tokenizer.to_str())
    token_file.save(folder / TOKENS, contents, arrays)


@dataclass(frozen=True)
class Drawing:
    """Makes the batches of a run in whatever process calls it."""

    folder: Path  # of a `TokenFile`
    plan: Plan
    held_out: bool = False

    def __call__(self) -> BatchMaker:
        opened = TokenFile(self.folder)
        documents = opened.documents(held_out=self.held_out)
        return BatchMaker(documents, Ids(opened.tokenizer), self.plan.seed + self.held_out, self.plan.mix)
