"""What a client agrees on with the server at first, and settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types as lsp

from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    Editor,
    check_empty,
    check_offered,
    editor,
    eventually,
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


async def until_offered(it: Editor, uri: str, wanted: bool) -> None:
    """The client's answer to the question for its configuration counts once it has arrived."""
    for _ in range(100 * TIMEOUT):
        if bool((await it.ask(0, 4, uri)).items) == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


async def test_a_null_section_restores_what_else_is_set() -> None:
    async with editor(FAKED, options={"deadlineMs": 77}, configuration={"languages": ["cobol"]}) as it:
        await asyncio.wait_for(it.asked.wait(), TIMEOUT)
        it.open("a = ")
        check_empty(await it.ask(0, 4))
        it.configuration = None
        it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(None))
        await until_offered(it, "file:///a.py", True)
    async with editor(FAKED) as it:  # a client that cannot be asked
        it.open("a = ")
        for sent, offered in (({"infill": {"languages": ["cobol"]}}, 0), ({"infill": None}, 1)):
            it.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(sent))
            assert len((await it.ask(0, 4)).items) == offered


def folders_changed(it: Editor, *added: Path, removed: tuple[Path, ...] = ()) -> None:
    events = [[lsp.WorkspaceFolder(each.as_uri(), each.name) for each in some] for some in (added, removed)]
    params = lsp.DidChangeWorkspaceFoldersParams(lsp.WorkspaceFoldersChangeEvent(*events))
    it.client.workspace_did_change_workspace_folders(params)


async def test_a_folder_that_joins_the_workspace_cannot_bring_the_model(tmp_path: Path) -> None:
    """Outside the workspace its model could be chosen; inside, the folder's own settings may have done it."""
    first, second = tmp_path / "first", tmp_path / "second"
    for each in (first, second):
        each.mkdir()
    options = {"model": str(second / "model")}
    async with editor(FAKED, options=options, folder=first) as it:
        assert it.shown == []
        folders_changed(it, second)
        message = (await eventually(lambda: it.shown))[0]
        assert message.startswith(f"infill.model: '{second / 'model'}' is inside the workspace")
        folders_changed(it, removed=(second,))
        folders_changed(it, second)
        await eventually(lambda: len(it.shown) == 2)


async def test_each_folder_has_settings_of_its_own(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for each in (first, second, third):
        each.mkdir()
    async with editor(FAKED, configuration={"languages": ["python"]}, folder=first) as it:
        it.of_folders = {second.as_uri(): {"languages": ["cobol"]}, third.as_uri(): {"exclude": ["*/a.py"]}}
        for folder in (first, second, third):
            for name in ("a.py", "b.py"):
                it.open("a = ", uri=(folder / name).as_uri())
        folders_changed(it, second, third)
        await until_offered(it, (second / "a.py").as_uri(), False)
        offered = {
            f"{folder.name}/{name}"
            for folder in (first, second, third)
            for name in ("a.py", "b.py")
            if (await it.ask(0, 4, (folder / name).as_uri())).items
        }
        assert offered == {"first/a.py", "first/b.py", "third/b.py"}
