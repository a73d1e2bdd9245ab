"""The embedded model's byte-level BPE tokenizer.

A newline is always a token of its own, and indentation is never merged with what follows. So a text that is
cut at a line start has the same tokens as its two pieces together: the prefix cache and the canvas rely on
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, EOS, BOS, GAP = 0, 1, 2, 3  # GAP fills a hole from the end of its text to its slack length
# Only in the sequences of `fim`. A tokenizer that has them belongs to a model that knows this order. 4 and 6
# stay free; 6 is the configuration's image token.
SUFFIX, MIDDLE = 5, 7
SPECIAL = ("<pad>", "<eos>", "<bos>", "<gap>", "<s4>", "<suffix>", "<s6>", "<middle>")
PIECES = r"\n|^[ \t]+| ?_*[^\W\d_]+| ?\d{1,3}| ?[^\s\w]+| ?_+|[^\S\n]+(?=\s|$)|[^\S\n]"


def blank_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    tokenizer = blank_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def with_special_names(tokenizer: str) -> str:
    """A tokenizer of this project, as JSON, whose special tokens have the names of today."""
    known = json.loads(tokenizer)
    for token in known["added_tokens"]:
        token["content"] = SPECIAL[token["id"]]
    vocabulary = {text: i for text, i in known["model"]["vocab"].items() if i >= len(SPECIAL)}
    known["model"]["vocab"] = {name: i for i, name in enumerate(SPECIAL)} | vocabulary
    return json.dumps(known, ensure_ascii=False)


class Ids:
    """Text to ids and back, without added tokens. What a text says is always text: the name of a special
    token in it is no such token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return [found.ids for found in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)
