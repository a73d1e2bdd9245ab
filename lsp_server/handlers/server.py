"""The server put together: which handler answers which method, and where unexpected faults end.

What the handlers do is in the other modules.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.actions.actions import KINDS
from lsp_server.handlers.commands import COMMANDS
from lsp_server.handlers.language_server import InfillServer
from lsp_server.handlers.support import Declined
from lsp_server.session.session import Session

from . import code_actions, commands, extensions, inline_completion, lifecycle, next_edits, transport

log = logging.getLogger(__name__)

# Notifications of clients of GitHub's language server; they need no answer, but must be known.
_IGNORED = ("didFocus", "didShowInlineEdit", "didShowCompletion", "didPartiallyAcceptCompletion")


def build(session: Session) -> InfillServer:
    server = InfillServer(session)
    server.feature(types.INITIALIZE)(lifecycle.initialize)
    server.feature(types.INITIALIZED)(lifecycle.initialized)
    server.feature(types.SHUTDOWN)(_guarded(lifecycle.shutdown, lambda: None))
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(lifecycle.did_change_configuration)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(lifecycle.did_change_watched_files)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(lifecycle.did_change_workspace_folders)

    completion = _guarded(inline_completion.inline_completion, lambda: None)
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(completion)
    watched = _guarded(inline_completion.watched_completion, lambda: None)
    server.feature(extensions.COMPLETION)(watched)
    server.feature(next_edits.NEXT_EDIT)(_guarded(next_edits.next_edit, lambda: {"edits": []}))
    server.feature(next_edits.COPILOT)(_guarded(next_edits.copilot_inline_edit, lambda: {"edits": []}))
    for method in _IGNORED:
        server.feature(f"textDocument/{method}")(lambda params: None)

    options = types.CodeActionOptions(list(KINDS), resolve_provider=True)
    code_action = _guarded(code_actions.code_actions, list)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(_guarded(commands.resolve, _decline))
    for name, command in COMMANDS.items():
        server.command(name)(command)
    return server


def serve(server: InfillServer) -> None:
    """Serve one client until it leaves. Standard output belongs to the protocol."""
    logging.getLogger("pygls.protocol.json_rpc").addFilter(_is_fault)
    server.start_io(cast(BinaryIO, transport.Frames(sys.stdin.buffer)))


def _guarded(handler: Callable[..., Any], fallback: Callable[[], Any]) -> Callable[..., Any]:
    """The handler with its unexpected exceptions logged and answered by `fallback`. Those of the protocol are
    answers, and pass."""

    def failed() -> Any:
        log.exception("unexpected fault in %s", handler.__name__)
        return fallback()

    @functools.wraps(handler)
    async def guarded_async(*args: Any) -> Any:
        try:
            return await handler(*args)
        except JsonRpcException:
            raise
        except Exception:
            return failed()

    @functools.wraps(handler)
    def guarded(*args: Any) -> Any:
        try:
            return handler(*args)
        except JsonRpcException:
            raise
        except Exception:
            return failed()

    return guarded_async if asyncio.iscoroutinefunction(handler) else guarded


def _decline() -> NoReturn:
    raise Declined("an unexpected fault; the server's log has its place") from None


def _is_fault(record: logging.LogRecord) -> bool:
    """False for an action that comes to nothing: pygls would log it as an error, with its traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], Declined))
