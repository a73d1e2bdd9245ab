"""Fills in languages that the model does not write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference import text_fill
from model_runtime.inference.drafting import Drafting
from model_runtime.prompting.layout import Tokens
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Fixed, Infill, Slot
from tests.model_runtime.inference.fills import engine as tiny_engine

CODE = "const total = price * count;\nconst rate = price * count;\n"


def asked(before: str = "const sum = price", language: str = "javascript", **more) -> Infill:
    canvas = more.pop("canvas", (Fixed(before), Slot(16), Fixed("\n")))
    return Infill(id=1, document="d", prefix=CODE, canvas=canvas, language=language, **more)


@pytest.mark.parametrize(
    ("request_", "without"),
    [
        (asked(), True),
        (asked(language="python"), False),
        (asked(language=""), False),
        (asked(original="x"), False),
        (asked(canvas=(Slot(2), Fixed("="), Slot(2))), False),
    ],
)
def test_when_the_model_is_left_out(request_: Infill, without: bool) -> None:
    assert text_fill.serves(request_, EMBEDDED) is without
    assert not text_fill.serves(request_, replace(EMBEDDED, languages=None))


def test_the_line_is_completed_from_the_code_around_it() -> None:
    fill = text_fill.fill(asked(), Drafting(EMBEDDED))
    assert fill.texts == (" * count;",)
    assert fill.steps == 0
    assert fill.confidence > 0.3
    assert "ngram" in fill.sources
    shares = [fill.confidence, *(each.confidence for each in fill.alternatives)]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1


def test_several_lines_have_a_ranking_of_their_own() -> None:
    block = CODE + "if (price > 3) {\n    warn(price);\n}\n"
    request = structs.replace(asked("const rate = "), prefix=block)
    one, several = (
        text_fill.fill(structs.replace(request, lines=lines), Drafting(EMBEDDED)) for lines in (1, 8)
    )
    assert one.confidence != several.confidence
    assert 0 < several.confidence < 1


def test_what_was_offered_starts_the_next_fill() -> None:
    drafting = Drafting(EMBEDDED)
    text_fill.fill(asked(), drafting)
    assert drafting.drafts(asked("const sum = price * "))[0].text == "count;"


def test_nothing_to_go_by_is_refused() -> None:
    empty = Infill(id=1, document="d", prefix="", canvas=(Slot(8), Fixed("\n")), language="go")
    with pytest.raises(Unfillable, match="does not write go"):
        text_fill.fill(empty, Drafting(EMBEDDED))


def test_the_engine_does_not_run_its_denoiser() -> None:
    engine = tiny_engine()
    profile = replace(engine.tokens.profile, languages=frozenset({"python"}))
    engine.tokens = Tokens(engine.tokens.tokenizer, profile)
    assert engine.run(asked()).steps == 0
    assert engine.run(asked(language="python")).steps > 0
