"""Retrieved drafts without the denoiser."""

from __future__ import annotations

from model_runtime.baselines import drafts
from model_runtime.inference.engine import Engine
from tests.model_runtime.baselines.conftest import PREFIX, REQUEST


def test_drafts_alone_come_from_the_text(engine: Engine) -> None:
    assert drafts.copied(REQUEST).texts == (" size",)
    found = drafts.DraftsAlone(engine)(REQUEST)
    assert found.sources == ("draft",)
    assert found.texts[0].strip() in PREFIX
