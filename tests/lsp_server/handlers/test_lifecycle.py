"""What a client agrees on with the server at first, and settings."""

from __future__ import annotations

import asyncio

import pytest
from lsprotocol import types as lsp

from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    check_empty,
    check_offered,
    editor,
    texts,
    type_text,
)


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 16), ("utf-16", 12), ("utf-32", 11)])
async def test_position_encodings(encoding: str, character: int) -> None:
    async with editor(FAKED, encodings=[encoding, "utf-16"]) as it:
        it.open("s = '😀注' + \n")
        check_offered(await it.ask(0, character), 0, character)


async def test_a_workspace_cannot_choose_its_model() -> None:
    async with editor(FAKED, options={"model": "./model"}) as it:
        it.open("a = ")
        check_offered(await it.ask(0, 4), 0, 4)
        (message,) = it.shown
        assert message.startswith("infill.model: './model' is inside the workspace")
    async with editor(FAKED, options={"model": "./model", "trusted": True}) as it:
        it.open("a = ")
        await it.ask(0, 4)
        assert it.shown == []


async def test_settings_from_the_client() -> None:
    options = {"languages": ["cobol"], "deadlineMs": "soon", "confidenceThreshold": 0.9}
    async with editor(FAKED, options=options, configuration={"confidenceThreshold": 0.1}) as it:
        await asyncio.wait_for(it.asked.wait(), TIMEOUT)
        it.open("a = ")
        check_empty(await it.ask(0, 4))  # python is not enabled
        it.open("a = ", language="cobol", uri="file:///c")
        check_offered(await it.ask(0, 4, "file:///c"), 0, 4)  # the client's answer outweighs the options
        (message,) = it.shown  # told once, though the settings were resolved twice
        assert message.startswith("infill.deadlineMs: 'soon' is not")


async def test_settings_sent_with_a_change() -> None:
    async with editor(FAKED) as it:
        it.open("a = ")
        for sent in ({"infill": {"languages": ["cobol"]}}, {"languages": ["cobol"]}):
            it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(sent))
            check_empty(await it.ask(0, 4))
        it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams({"infill": {}}))
        check_offered(await it.ask(0, 4), 0, 4)


async def test_settings_that_change_drop_what_was_offered() -> None:
    async with editor(RECORDED) as it:
        it.open("a = ")
        await it.ask(0, 4)
        it.client.workspace_did_change_configuration(
            lsp.DidChangeConfigurationParams({"infill": {"languages": ["cobol"]}})
        )
        type_text(it, 2, 0, 4, "f")
        assert await texts(it.send(0, 5)) == []
