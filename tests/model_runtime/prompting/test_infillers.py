"""The records of open infillers: which checkpoint has which, and what is refused, with the reason."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds
from model_runtime.network import memory_budget
from model_runtime.prompting import infillers
from model_runtime.prompting.infillers import A2D, DREAM_CODER, DREAMON, KNOWN, OPEN_DCODER, Unmatched


def config(record: infillers.Infiller, **changes: Any) -> dict[str, Any]:
    return {"model_type": record.model_type, "vocab_size": 152_064, **changes}


@pytest.mark.parametrize("record", KNOWN, ids=lambda record: record.id)
def test_a_checkpoint_finds_its_own_record(record: infillers.Infiller) -> None:
    assert infillers.match(config(record), record.names.get) is record


@pytest.mark.parametrize(
    ("record", "names", "changes", "reason"),
    [
        (OPEN_DCODER, {151665: None}, {}, "has the token <M> as id 151665, but no token has it"),
        (
            A2D,
            {151665: "<tool>"},
            {},
            "the token <|mask|> as id 151665, but the tokenizer has '<tool>' there",
        ),
        (DREAM_CODER, {151665: None}, {}, "the token <|beginoftext|> as id 151665, but no token has it"),
        (DREAM_CODER, {}, {"mask_token_id": 7}, "config.json names 7 as the mask, .* has 151666"),
        (DREAMON, {}, {"vocab_size": 151_000}, "has 151000 rows, but .* has an id 15166[67]"),
        (DREAMON, {}, {"model_type": "LLaDA"}, "a 'LLaDA' is no masked-diffusion model that is known"),
    ],
)
def test_wrong_ids_are_refused(
    record: infillers.Infiller, names: dict[int, str | None], changes: dict[str, Any], reason: str
) -> None:
    given = {**record.names, **names}
    with pytest.raises(Unmatched) as refused:
        infillers.match(config(record, **changes), given.get)
    assert re.search(reason, str(refused.value))


def test_without_expansion_a_dream_is_a_fixed_length_one() -> None:
    assert infillers.match(config(DREAMON), DREAM_CODER.names.get) is DREAM_CODER


def test_the_authors_settings_and_ours() -> None:
    """`exact` runs a schedule as published and never stops early."""
    ours, theirs = OPEN_DCODER.policy(), OPEN_DCODER.policy(exact=True)
    assert replace(ours, gap=None, stretched=True) == theirs
    assert (theirs.max_steps, theirs.choice.temperature, theirs.choice.top_p) == (64, 0.6, 0.95)


@pytest.mark.parametrize("window", [memory_budget.CPU_WINDOW, memory_budget.WINDOW])
def test_prompt_and_canvas_fit_the_window(window: int) -> None:
    for record in KNOWN:
        made = infillers.profile(record, window=window, special=frozenset())
        assert made.context + made.canvas == window
        assert made.slot + made.suffix + made.head <= made.canvas
        kind = FillerEnds if record is DREAMON else CandidateLengths
        assert isinstance(made.length, kind)
