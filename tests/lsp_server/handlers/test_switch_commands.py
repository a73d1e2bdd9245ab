"""Turning suggestions off and on, and what a client can ask about a document."""

from __future__ import annotations

from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

from tests.support.editor import FAKED, URI, check_empty, check_offered, editor


async def document(it: Any, uri: str = URI) -> dict[str, Any]:
    return (await it.execute("infill.status", {"uri": uri}))["document"]


async def test_a_document_is_switched_off_and_on() -> None:
    async with editor(FAKED) as it:
        it.open("a = \n")
        it.open("a = \n", uri="file:///b.py")
        assert (await document(it))["on"] is True
        assert (await it.execute("infill.toggle", {"uri": URI}))["reason"] == "off-here"
        check_empty(await it.ask(0, 4))
        check_offered(await it.ask(0, 4, "file:///b.py"), 0, 4)
        assert (await it.execute("infill.toggle", {"uri": URI}))["on"] is True
        check_offered(await it.ask(0, 4), 0, 4)


async def test_all_documents_are_snoozed() -> None:
    async with editor(FAKED) as it:
        it.open("a = \n")
        told = await it.execute("infill.snooze", {"minutes": 10, "uri": URI})
        assert (told["on"], told["reason"]) == (False, "snoozed")
        assert 9 < told["minutes"] <= 10
        check_empty(await it.ask(0, 4))
        assert (await it.execute("infill.snooze", {"minutes": 0, "uri": URI}))["on"] is True
        check_offered(await it.ask(0, 4), 0, 4)


async def test_the_setting() -> None:
    async with editor(FAKED, options={"enable": False}) as it:
        it.open("a = \n")
        check_empty(await it.ask(0, 4))
        assert (await document(it))["reason"] == "off"


async def test_settings_that_are_on_their_way_are_waited_for() -> None:
    async with editor(FAKED, configuration={"enable": False}) as it:
        it.open("a = \n")
        assert (await document(it))["reason"] == "off"


async def test_why_a_document_is_silent() -> None:
    async with editor(FAKED, options={"exclude": ["*/generated/*"]}) as it:
        it.open("let a = \n", "lua", "file:///a.lua")
        it.open("a = \n", uri="file:///generated/a.py")
        for uri, reason, words in (
            ("file:///a.lua", "language", "infill-ls is off for lua"),
            ("file:///generated/a.py", "excluded", "generated"),
            ("file:///gone.py", "not-open", "not open for infill-ls"),
        ):
            told = await document(it, uri)
            assert (told["on"], told["reason"]) == (False, reason)
            assert words in told["message"]
            with pytest.raises(JsonRpcException, match=words):
                await it.execute("infill.fill", {"uri": uri, "apply": False})


async def test_whether_the_model_follows_instructions() -> None:
    async with editor(FAKED) as it:
        told = (await it.execute("infill.status"))["rewrites"]
        assert told["possible"] is False
        for remedy in ("DiffusionGemma", "infill.model", "infill.backendUrl"):
            assert remedy in told["message"]
    async with editor(FAKED, options={"model": "org/chat"}) as it:
        assert (await it.execute("infill.status"))["rewrites"] == {"possible": True, "message": ""}


WRONG: list[tuple[str, Any]] = [
    ("infill.toggle", {}),
    ("infill.toggle", {"uri": 3}),
    ("infill.toggle", {"uri": URI, "on": "yes"}),
    ("infill.snooze", {}),
    ("infill.snooze", {"minutes": -1}),
    ("infill.snooze", {"minutes": True}),
    ("infill.snooze", {"minutes": 1e9}),
    ("infill.status", "now"),
]


async def test_wrong_arguments_are_named() -> None:
    async with editor(FAKED) as it:
        for name, argument in WRONG:
            with pytest.raises(JsonRpcException, match="takes one argument"):
                await it.execute(name, argument)
