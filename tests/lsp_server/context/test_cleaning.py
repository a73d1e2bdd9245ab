"""Texts without the lines that hold secrets, by the real reader process."""

from __future__ import annotations

import asyncio

import pytest

from lsp_server.context import cleaning
from lsp_server.context.cleaning import MOST
from tests.lsp_server.context.editor import SECONDS, Editor
from tests.support.fakes import eventually

TOKEN = "ghp_aK3xV9mQ2nR7tY1wZ5bC8dF4gH6jL0pS2uXe"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "CLEANED_S", SECONDS)


async def test_texts_are_looked_through(editor: Editor) -> None:
    texts = ["all is well", f"not {TOKEN}", "", "\ud800"]
    for _ in range(2):
        assert await editor.session.tracker.cleaned(texts) == ("all is well", "", "", "\ufffd")
    many = [f"number {n}" for n in range(2 * MOST)]
    assert await editor.session.tracker.cleaned(many) == tuple(many)
    editor.session.configure("test", {"exclude": ["*"]})
    assert await editor.session.tracker.cleaned(texts) == ("",) * 4


async def test_a_text_whose_reader_has_died_is_looked_through_by_the_next(editor: Editor) -> None:
    asked = asyncio.ensure_future(editor.session.tracker.cleaned([f"one\n{TOKEN}\ntwo"]))
    reader = editor.session.tracker._reader
    await eventually(lambda: reader._process, SECONDS)
    assert reader._process
    reader._process.kill()  # long before it can answer
    assert await asked == ("one\n\ntwo",)


async def test_nobody_waits_for_what_will_not_be_answered(editor: Editor) -> None:
    asked = asyncio.ensure_future(editor.session.tracker.cleaned(["text"]))
    await asyncio.sleep(0)
    editor.session.configure("test", {"exclude": ["*.c"]})  # ends the process
    assert await asked == ("",)
    assert await editor.session.tracker.cleaned(["text"]) == ("text",)
