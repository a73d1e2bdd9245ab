"""Markdown, plain text, commit messages, reStructuredText and a language without a grammar, with a model that
writes them: the real server and worker, and a server that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from lsprotocol import types as lsp

from tests.conftest import private_workers
from tests.e2e.conftest import Place
from tests.e2e.test_stdio import Editor, running_editor
from tests.support.servers import Process, started

LANGUAGES = ["markdown", "plaintext", "git-commit", "restructuredtext", "cobol"]
TEXT = "The quick brown fox, which \n\n- one\n- <fill>\n\nIts end wass near (it was said).\n"


@pytest.fixture(autouse=True)
def own_folder() -> Iterator[Path]:
    with private_workers() as folder:
        yield folder


@pytest.fixture
def server() -> Iterator[Process]:
    with started("--has", "suffix,chat", module="tests.support.text_server") as process:
        yield process


async def answers(server: Process, *texts: str) -> None:
    data = json.dumps(texts).encode()
    await asyncio.to_thread(urlopen, Request(server.url + "/answers", data, method="POST"))


@pytest.fixture
async def editor(server_command: list[str], server: Process, tmp_path: Path) -> AsyncIterator[Editor]:
    options = {
        "deadlineMs": 20_000,
        "confidenceThreshold": 0.0,
        "languages": LANGUAGES,
        "backend": "openai",
        "backendUrl": server.url,
        "trusted": True,
    }
    async with running_editor(server_command, options, folder=tmp_path) as editor:
        yield editor


def opened(editor: Editor, path: Path, language: str, text: str, at: str) -> Place:
    path.write_text(text)
    offset = text.index(at) + len(at)
    line = text.count("\n", 0, offset)
    item = lsp.TextDocumentItem(path.as_uri(), language, 1, text)
    editor.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    return Place(path, text, line, offset - (text.rfind("\n", 0, offset) + 1))


async def command(editor: Editor, name: str, **arguments: object) -> Any:
    params = lsp.ExecuteCommandParams(name, [{**arguments, "apply": False}])
    return await asyncio.wait_for(editor.client.workspace_execute_command_async(params), 60)


def made(edit: Any, text: str) -> str:
    """The text after a workspace edit."""
    changes = edit.get("documentChanges") or [{"edits": each} for each in edit["changes"].values()]
    (change,) = changes
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]

    def offset(position: Any) -> int:
        return starts[position["line"]] + position["character"]

    for each in sorted(change["edits"], key=lambda it: offset(it["range"]["start"]), reverse=True):
        text = text[: offset(each["range"]["start"])] + each["newText"] + text[offset(each["range"]["end"]) :]
    return text


async def test_completion_fill_and_rewrite(editor: Editor, server: Process, tmp_path: Path) -> None:
    for language in LANGUAGES:
        place = opened(editor, tmp_path / f"{language}.text", language, TEXT, "which ")
        await answers(server, "jumps over the dog.")
        assert await editor.ask_until_answered(place) == "jumps over the dog.", language
        await answers(server, "two (2)")
        filled = made(await command(editor, "infill.fill", uri=place.uri), TEXT)
        assert filled == TEXT.replace("<fill>", "two (2)")
        where = {"start": {"line": 5, "character": 0}, "end": {"line": 5, "character": 3}}
        await answers(server, "```\nIts end was near\n  (so it was said).\n```")
        told = {"uri": place.uri, "range": where, "instruction": "spelling"}
        rewritten = made(await command(editor, "infill.rewrite", **told), TEXT)
        blanks = 4 if language == "cobol" else 2  # of code the indentation is made that of the document
        new = "Its end was near\n" + " " * blanks + "(so it was said)."
        assert rewritten == TEXT.replace("Its end wass near (it was said).", new)


async def test_code_in_a_fence_is_judged_by_its_own_language(
    editor: Editor, server: Process, tmp_path: Path
) -> None:
    text = "# Notes\n\n```python\ndef f(a):\n    b = \n    return b\n```\n"
    place = opened(editor, tmp_path / "a.md", "markdown", text, "b = ")
    await answers(server, "a + (1")
    for _ in range(40):  # the first ones may come while the worker starts
        text_of = await asyncio.wait_for(editor.ask(place), 30)
        if any("suffix" in body for body in server.seen()):
            break
        await asyncio.sleep(0.2)
    assert text_of != "a + (1", "it would not parse"
    await answers(server, "a + (1)")
    assert await editor.ask_until_answered(place) == "a + (1)"


async def test_proofreading(server_command: list[str], tmp_path: Path) -> None:
    """By the embedded model, as a server that only writes cannot; what it doubts is its affair."""
    async with running_editor(server_command, {"languages": LANGUAGES}, folder=tmp_path) as editor:
        for language in LANGUAGES:
            place = opened(editor, tmp_path / f"{language}.text", language, "It's a **short** text.\n", "It")
            where = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 10}}
            found = await command(editor, "infill.proofread", uri=place.uri, range=where)
            assert found["found"] >= 0
