"""Passes the documents and notebooks that a client opens, changes and closes to the session; runs commands.

pygls handles these methods itself unless its protocol class is replaced. Its own workspace is not used: its
documents split lines where `str.splitlines` does, so that after a form feed or U+2028 line numbers are not
the client's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.protocol import lsp_method

from lsp_server.handlers.malformed import CheckedProtocol
from lsp_server.session import completion
from lsp_server.session.session import Change, Session

log = logging.getLogger(__name__)

_CELLS = [types.NotebookCellLanguage("*")]
NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithCells(cells=_CELLS, notebook="*")]
)


class SyncProtocol(CheckedProtocol):
    """pygls's protocol, with documents kept by the session."""

    @property
    def _session(self) -> Session:
        return cast(Any, self._server).session

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Any:
        self._open([params.text_document])

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Any:
        document = params.text_document
        self._change(document.uri, document.version, params.content_changes)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Any:
        self._session.close(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> Any:
        notebook = params.notebook_document
        self._session.open_notebook(notebook.uri, [cell.document for cell in notebook.cells])
        self._open(params.cell_text_documents)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> Any:
        if (cells := params.change.cells) is None:
            return
        if structure := cells.structure:
            array = structure.array
            added = [cell.document for cell in array.cells or ()]
            uri = params.notebook_document.uri
            self._session.splice_notebook(uri, array.start, array.delete_count, added)
            for closed in structure.did_close or ():
                self._session.close(closed.uri)
            self._open(structure.did_open or ())
        for content in cells.text_content or ():
            document = content.document
            self._change(document.uri, document.version, content.changes)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> Any:
        self._session.close_notebook(params.notebook_document.uri)
        for closed in params.cell_text_documents:
            self._session.close(closed.uri)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Replaces pygls's, which neither passes the progress token on nor can be cancelled."""
        if (command := self.fm.commands.get(params.command)) is None:
            raise JsonRpcInvalidParams(f"there is no command {params.command!r}")
        try:
            return await command(list(params.arguments or ()), params.work_done_token)
        except JsonRpcException:
            raise
        except Exception:
            log.exception("unexpected fault in %s", params.command)
            raise JsonRpcInternalError("an unexpected fault; the server's log has its place") from None

    def _change(self, uri: str, version: int, events: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        changes = [_change(event) for event in events]
        self._session.change(uri, version, changes)
        for place, text in changes if len(changes) == 1 else ():
            if place and text:
                completion.typed(self._session, uri, *place[0], text)

    def _open(self, documents: Iterable[types.TextDocumentItem]) -> None:
        for each in documents:
            self._session.open(each.uri, each.version, each.language_id, each.text)
        if cast(Any, self._server).configured.is_set():
            self._session.warm_up()


def _change(event: types.TextDocumentContentChangeEvent) -> Change:
    if isinstance(event, types.TextDocumentContentChangeWholeDocument):
        return None, event.text
    start, end = event.range.start, event.range.end
    return ((start.line, start.character), (end.line, end.character)), event.text
