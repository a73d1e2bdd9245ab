"""Words in doubt, as the client is told of them."""

from __future__ import annotations

from typing import Any

from lsprotocol import types as lsp

from tests.support.code_actions import ABLE, actions_at, command, commands_at
from tests.support.editor import (
    RECORDED,
    editor,
    eventually,
    listen,
    type_text,
)


async def test_proofreading_marks_words_until_they_are_touched() -> None:
    async with editor(RECORDED, **ABLE) as it:
        published = listen(it, lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        it.open("é = wrong(1)\nb = also_wrong\nc = wrong\n")
        (made,) = await commands_at(it, (0, 0), (1, 14), "refactor.rewrite.infill.proofread")
        assert await command(it, made["command"], made["arguments"][0]) == {
            "found": 2,
            "replaceable": 2,
        }
        await eventually(lambda: published)
        first, second = published[-1].diagnostics
        assert (first.source, first.code) == ("infill-ls", "proofread")
        assert spot(first) == (0, 4, 9)
        assert "`wrong` is unlikely here: perhaps `right`?" in first.message
        for column in (4, 5, 14):  # from the word's start to behind its end, whatever the client sends back
            (action,) = await actions_at(it, (1, column), only=["quickfix"])
            (change,) = action.edit.document_changes[0].edits
            assert (change.new_text, change.range) == ("also_right", second.range)
            assert action.diagnostics == (second,)
        assert await actions_at(it, (1, 3), only=["quickfix"]) == []
        type_text(it, 2, 0, 0, "# new line\n\n")  # moves both
        await eventually(
            lambda: [spot(each) for each in published[-1].diagnostics] == [(2, 4, 9), (3, 4, 14)]
        )
        type_text(it, 3, 2, 9, "", deleted=1)  # inside the first
        await eventually(lambda: [spot(each) for each in published[-1].diagnostics] == [(3, 4, 14)])


def spot(diagnostic: Any) -> tuple[int, int, int]:
    at = diagnostic.range
    return at.start.line, at.start.character, at.end.character
