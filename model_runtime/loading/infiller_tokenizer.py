"""The tokenizer of a Qwen2 checkpoint from its own files: `vocab.json` and `merges.txt`, or `tokenizer.json`,
and the tokens that were added. The class that its files may name is remote code and is not loaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from model_runtime.diffusion.faults import ModelError, one_line

# How Qwen2 splits text before byte pairs are merged.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
VOCABULARY, MERGES, WHOLE = "vocab.json", "merges.txt", "tokenizer.json"
ADDED, CONFIG = "added_tokens.json", "tokenizer_config.json"


def present(folder: Path) -> bool:
    return (folder / WHOLE).is_file() or all((folder / name).is_file() for name in (VOCABULARY, MERGES))


def load(folder: Path, again: str) -> tuple[Tokenizer, frozenset[int]]:
    """The tokenizer, and the ids of the added tokens, whose names in a text are plain text. `again`: how to
    get the files anew, for the message. Raises ModelError."""
    try:
        added = _added(folder)
        made = _from_parts(folder, added) if (folder / VOCABULARY).is_file() else _whole(folder)
        ordered = sorted(added, key=added.__getitem__)
        made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in ordered])
    except Exception as error:  # the library raises nothing more exact
        raise ModelError(f"the tokenizer in {folder} is damaged: {one_line(error)}; {again}") from None
    for name, number in added.items():
        if made.token_to_id(name) != number:
            found = made.token_to_id(name)
            raise ModelError(f"the token {name} in {folder} should have id {number}, not {found}; {again}")
    made.encode_special_tokens = True
    return made, frozenset(made.get_added_tokens_decoder())


def _from_parts(folder: Path, added: dict[str, int]) -> Tokenizer:
    vocabulary = json.loads((folder / VOCABULARY).read_bytes())
    lines = (folder / MERGES).read_text("utf-8").split("\n")
    merges = [_pair(line) for line in lines if line and not line.startswith("#version")]
    made = Tokenizer(models.BPE(vocab=vocabulary | added, merges=merges))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _pair(line: str) -> tuple[str, str]:
    left, right = line.split(" ")
    return left, right


def _whole(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / WHOLE))


def _added(folder: Path) -> dict[str, int]:
    """Name -> id, from both files that may say so."""
    found: dict[str, int] = {}
    if (folder / CONFIG).is_file():
        said: Any = json.loads((folder / CONFIG).read_bytes())
        for number, token in (said.get("added_tokens_decoder") or {}).items():
            found[token["content"]] = int(number)
    if (folder / ADDED).is_file():
        found |= json.loads((folder / ADDED).read_bytes())
    return found
