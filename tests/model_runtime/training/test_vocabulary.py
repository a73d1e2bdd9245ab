"""The embedded model's tokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from model_runtime.training.vocabulary import SPECIAL, train_tokenizer, with_special_names
from tests.support import tiny


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([tiny.SOURCE], 500)


def test_special_tokens_come_first(tokenizer: Tokenizer) -> None:
    assert [tokenizer.id_to_token(i) for i in range(len(SPECIAL))] == list(SPECIAL)


@pytest.mark.parametrize(
    "text", [tiny.SOURCE, "\n\n\n", "if x:\n\n        é = '😀 '\n\tpass  \n", "a\r\nb\n"]
)
def test_a_text_cut_at_line_starts_has_the_tokens_of_its_lines(tokenizer: Tokenizer, text: str) -> None:
    def encode(piece: str) -> list[int]:
        return tokenizer.encode(piece, add_special_tokens=False).ids

    whole = encode(text)
    assert whole == [token for line in text.split("\n")[:-1] for token in encode(line + "\n")]
    assert whole.count(encode("\n")[0]) == text.count("\n")
    assert tokenizer.decode(whole) == text


def test_the_special_tokens_of_an_older_tokenizer_get_their_names(tokenizer: Tokenizer) -> None:
    older = tokenizer.to_str().replace("<suffix>", "<s5>").replace("<middle>", "<s7>")
    renamed = Tokenizer.from_str(with_special_names(older))
    assert [renamed.id_to_token(i) for i in range(len(SPECIAL))] == list(SPECIAL)
    assert Tokenizer.from_str(older).token_to_id("<suffix>") is None
    assert renamed.encode(tiny.SOURCE).ids == tokenizer.encode(tiny.SOURCE).ids
    assert renamed.get_vocab_size() == tokenizer.get_vocab_size()
