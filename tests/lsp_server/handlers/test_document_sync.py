"""Documents and notebooks stay as the client has them."""

from __future__ import annotations

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.code_actions import command
from tests.support.editor import (
    FAKED,
    RECORDED,
    check_empty,
    check_offered,
    editor,
    last_fill,
    served,
    texts,
)


async def test_changes_keep_step_with_the_client() -> None:
    async with editor(FAKED) as it:
        it.open("x = '😀'\r\ny = 1\r\n")
        after_emoji, end = lsp.Position(0, 8), lsp.Position(1, 5)
        it.change(
            2,
            lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(1, 4), end), ""),
            lsp.TextDocumentContentChangePartial(lsp.Range(after_emoji, after_emoji), " + (\x0c"),
        )
        check_offered(await it.ask(0, 13), 0, 13)
        check_offered(await it.ask(1, 4), 1, 4)
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("z = \n"))
        check_offered(await it.ask(0, 4), 0, 4)
        check_empty(await it.ask(5, 0))  # a line that is gone


def notebook(*cells: tuple[str, str]) -> lsp.DidOpenNotebookDocumentParams:
    """Cells of (language, text), named cell:0 and so on."""
    kind = {"markdown": lsp.NotebookCellKind.Markup}
    return lsp.DidOpenNotebookDocumentParams(
        lsp.NotebookDocument(
            "file:///n.ipynb",
            "jupyter-notebook",
            1,
            [
                lsp.NotebookCell(kind.get(language, lsp.NotebookCellKind.Code), f"cell:{number}")
                for number, (language, _) in enumerate(cells)
            ],
        ),
        [
            lsp.TextDocumentItem(f"cell:{number}", language, 1, text)
            for number, (language, text) in enumerate(cells)
        ],
    )


async def test_a_notebook() -> None:
    able = lsp.NotebookDocumentClientCapabilities(lsp.NotebookDocumentSyncClientCapabilities())
    async with editor(RECORDED, notebook_document=able) as it:
        it.client.notebook_document_did_open(
            notebook(
                ("python", "import os\n"), ("markdown", "# prose"), ("python", "x = "), ("python", "y = 2")
            )
        )
        answer = await it.ask(0, 4, "cell:2")
        at = lsp.Position(0, 4)
        assert [(item.insert_text, item.range) for item in answer.items] == [("filled", lsp.Range(at, at))]
        seen = await last_fill(it)
        assert seen["prefix"] == "import os\n\n"
        assert [piece.get("text") for piece in seen["canvas"]] == ["x = ", None, "\ny = 2"]
        check_empty(await it.ask(1, 0, "cell:2"))  # the next cell's line
        identifier = lsp.VersionedTextDocumentIdentifier(2, "cell:2")
        change = lsp.TextDocumentContentChangePartial(lsp.Range(at, at), "f")
        array = lsp.NotebookCellArrayChange(0, 2, [lsp.NotebookCell(lsp.NotebookCellKind.Code, "cell:9")])
        it.client.notebook_document_did_change(
            lsp.DidChangeNotebookDocumentParams(
                lsp.VersionedNotebookDocumentIdentifier(2, "file:///n.ipynb"),
                lsp.NotebookDocumentChangeEvent(
                    cells=lsp.NotebookDocumentCellChanges(
                        lsp.NotebookDocumentCellChangeStructure(
                            array,
                            [lsp.TextDocumentItem("cell:9", "python", 1, "import re\n")],
                            [lsp.TextDocumentIdentifier("cell:0"), lsp.TextDocumentIdentifier("cell:1")],
                        ),
                        text_content=[lsp.NotebookDocumentCellContentChanges(identifier, [change])],
                    )
                ),
            )
        )
        invoked = it.send(0, 5, "cell:2", trigger=lsp.InlineCompletionTriggerKind.Invoked)
        assert await texts(invoked)
        assert (await last_fill(it))["prefix"] == "import re\n\n"
        it.client.notebook_document_did_close(
            lsp.DidCloseNotebookDocumentParams(
                lsp.NotebookDocumentIdentifier("file:///n.ipynb"),
                [lsp.TextDocumentIdentifier(f"cell:{number}") for number in (9, 2, 3)],
            )
        )
        check_empty(await it.ask(0, 5, "cell:2"))


async def test_a_notebook_that_is_ruled_out() -> None:
    able = lsp.NotebookDocumentClientCapabilities(lsp.NotebookDocumentSyncClientCapabilities())
    async with editor(RECORDED, options={"exclude": ["*.ipynb"]}, notebook_document=able) as it:
        it.client.notebook_document_did_open(notebook(("python", "x = ")))
        check_empty(await it.ask(0, 4, "cell:0"))
        with pytest.raises(JsonRpcException, match="exclude"):
            await command(it, "infill.fill", {"uri": "cell:0", "apply": False})
        assert await served(it) == 0
