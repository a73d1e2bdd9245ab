"""The tokenizer of a Qwen2 checkpoint, from its parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import Qwen2Tokenizer

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import infiller_tokenizer
from model_runtime.prompting.infillers import DREAMON
from tests.support import tiny_infiller

TEXTS = (
    "def f(self, x):\n\n    return  self.x[12345] + 'naïve' # it's <|mask|> — 你好\n",
    "\tif a:\r\n\t\tb  \n",
    "x" * 40,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_infiller.write(tmp_path_factory.mktemp("dreamon"), DREAMON)


def test_it_reads_as_the_stock_tokenizer_and_back(folder: Path) -> None:
    stock = Qwen2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    made, added = infiller_tokenizer.load(folder, "")
    assert added == set(DREAMON.names)
    for text in TEXTS:
        ids = made.encode(text, add_special_tokens=False).ids
        assert made.decode(ids) == text
        assert not added & set(ids)  # a special token's name in a text is text
        plain = text.replace("<|mask|>", "mask")
        assert made.encode(plain, add_special_tokens=False).ids == stock(plain)["input_ids"]


def test_a_whole_file_serves_as_well(folder: Path, tmp_path: Path) -> None:
    made, _ = infiller_tokenizer.load(folder, "")
    made.save(str(tmp_path / "tokenizer.json"))
    again, added = infiller_tokenizer.load(tmp_path, "")
    assert added == set(DREAMON.names)
    assert again.encode(TEXTS[0]).ids == made.encode(TEXTS[0]).ids


def test_what_is_wrong_is_said(folder: Path, tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    vocabulary = json.loads((folder / "vocab.json").read_bytes())
    (tmp_path / "vocab.json").write_text(json.dumps({**vocabulary, "<|mask|>": 999}))
    made, _ = infiller_tokenizer.load(tmp_path, "")
    assert made.token_to_id("<|mask|>") == 999
    (tmp_path / "merges.txt").write_text("a b c d\n")
    with pytest.raises(ModelError, match=r"the tokenizer in .* is damaged: .*; copy it again"):
        infiller_tokenizer.load(tmp_path, "copy it again")
