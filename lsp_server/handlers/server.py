"""The server towards its client: what it offers, what the client can do, settings, commands, what it is told.
Thin on purpose: `sync` brings the documents; `inline`, `code_actions` and `execute` answer for their text.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, BinaryIO, TypeVar, cast

import msgspec
from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server import package_version
from lsp_server.actions.actions import KINDS
from lsp_server.handlers.diagnostics import publisher
from lsp_server.handlers.document_sync import NOTEBOOKS, SyncProtocol
from lsp_server.handlers.progress import Progress
from lsp_server.handlers.support import Declined
from lsp_server.session import logs
from lsp_server.session.notices import Notices
from lsp_server.session.session import OPTIONS, Session
from lsp_server.session.worker_status import Activity
from lsp_server.text.document import Refusal
from lsp_server.text.languages import watched_globs
from lsp_server.text.positions import Encoding

from . import code_actions, commands, extensions, inline_completion, malformed, transport

log = logging.getLogger(__name__)

SECTION = "infill"
_STALE = {"superseded", "cancelled"}  # answered with null, which leaves alone what the editor shows

_Handler = TypeVar("_Handler", bound=Callable[..., Awaitable[Any]])


class InfillServer(LanguageServer):
    def __init__(self, session: Session) -> None:
        self.session = session
        self.awaits_configuration = False  # while it does, the model to load is not known
        self.wants_drafts = self.wants_canvas = self.wants_refusals = self.wants_status = False
        self.next_edits = False  # the client has asked for one
        self.resolves_edits = self.versioned_edits = self.shows_progress = False
        self._told: list[str] = []
        self.notices = Notices()
        session.marks.on_change = publisher(session.marks, self.text_document_publish_diagnostics)
        super().__init__(
            "infill-ls",
            package_version(),
            protocol_cls=SyncProtocol,
            converter_factory=malformed.converter,
            notebook_document_sync=NOTEBOOKS,
        )

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A fault in a message is the log's business; pygls would open a dialog for each."""
        if not isinstance(error, Declined):
            log.error("%s", type(error).__name__, exc_info=error)

    def configure(self, source: str, raw: Any) -> None:
        told, self._told = self._told, self.session.configure(source, raw)
        for problem in self._told:
            if problem not in told:
                log.warning("%s", problem)
                self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, problem))
        logs.set_level(self.session.settings.log_level)

    def tell(self, activity: Activity) -> None:
        """What the worker does has changed."""
        if self.wants_status:
            told = {"state": activity.state, "message": activity.message}
            more = {"progress": activity.progress, "latency": activity.latency}
            self.send("infill/status", told | {name: x for name, x in more.items() if x is not None})
        if self.next_edits:
            kind = {"degraded": "Warning", "stopped": "Inactive"}.get(activity.state, "Normal")
            busy = activity.state in ("busy", "loading")
            self.send("didChangeStatus", {"busy": busy, "kind": kind, "message": activity.message})

    def send(self, method: str, params: Any) -> None:
        self.protocol.notify(method, params)

    def apply(self, label: str, edit: types.WorkspaceEdit) -> None:
        """Have the client make an edit. Whether it did is only worth a line in the log."""

        def answered(answer: Future[types.ApplyWorkspaceEditResult]) -> None:
            if not answer.cancelled() and (fault := answer.exception()):
                log.warning("the client did not apply %s: %s", label, fault)
            elif not answer.cancelled() and not (result := answer.result()).applied:
                log.warning("the client did not apply %s: %s", label, result.failure_reason)

        params = types.ApplyWorkspaceEditParams(edit, label)
        self.protocol.send_request(types.WORKSPACE_APPLY_EDIT, params).add_done_callback(answered)

    def steps(self, title: str, token: types.ProgressToken | None) -> Progress:
        ask = self.protocol.send_request if self.shows_progress else None
        return Progress(self.work_done_progress, title, token, ask)


def build(session: Session) -> InfillServer:
    server = InfillServer(session)
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(
        answer_inline_completion
    )
    options = types.CodeActionOptions(list(KINDS), resolve_provider=True)
    server.feature(extensions.COMPLETION)(watched_completion)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)
    server.feature("textDocument/copilotInlineEdit")(copilot_inline_edit)
    for told in ("didFocus", "didShowInlineEdit", "didShowCompletion", "didPartiallyAcceptCompletion"):
        server.feature(f"textDocument/{told}")(lambda params: None)
    for name, command in COMMANDS.items():
        server.command(name)(command)
    return server


def _boundary(handler: _Handler) -> _Handler:
    """Where an unexpected exception ends: logged with its trace, answered with null."""

    @functools.wraps(handler)
    async def guarded(*args: Any) -> Any:
        try:
            return await handler(*args)
        except Exception:
            log.exception("unexpected fault in %s", getattr(handler, "__name__", handler))
            return None

    return cast(_Handler, guarded)


def initialize(ls: InfillServer, params: types.InitializeParams) -> None:
    encoding = ls.workspace.position_encoding
    ls.session.encoding = cast(Encoding, getattr(encoding, "value", encoding))
    can = params.capabilities
    wanted = _field(can.experimental, "infill")
    for name in ("drafts", "canvas", "refusals", "status"):
        setattr(ls, f"wants_{name}", _field(wanted, name) is True)
    if ls.wants_status:
        ls.session.on_activity = ls.tell
    ls.versioned_edits = bool(get_capability(can, "workspace.workspace_edit.document_changes"))
    ls.shows_progress = bool(get_capability(can, "window.work_done_progress"))
    resolved = get_capability(can, "text_document.code_action.resolve_support.properties") or ()
    ls.resolves_edits = "edit" in resolved
    folders = [folder.uri for folder in params.workspace_folders or ()]
    ls.session.use_folders(folders or ([params.root_uri] if params.root_uri else []))
    ls.configure(OPTIONS, params.initialization_options)


def initialized(ls: InfillServer, params: types.InitializedParams) -> None:
    _watch_files(ls)
    _pull_configuration(ls)


def did_change_watched_files(ls: InfillServer, params: types.DidChangeWatchedFilesParams) -> None:
    ls.session.following.files_changed()


def did_change_workspace_folders(ls: InfillServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.session.use_folders(ls.workspace.folders)


def did_change_configuration(ls: InfillServer, params: types.DidChangeConfigurationParams) -> None:
    if not _pull_configuration(ls):
        sent = params.settings
        ls.configure("configuration", sent.get(SECTION, sent) if isinstance(sent, dict) else sent)


@_boundary
async def answer_inline_completion(
    ls: InfillServer, params: types.InlineCompletionParams, steps: int | None = None
) -> types.InlineCompletionList | None:
    uri, at = params.text_document.uri, params.position
    where = f"{uri}:{at.line + 1}:{at.character + 1}"
    outcome = await inline_completion.inline_completion(ls, params, steps)
    if isinstance(outcome, Refusal):
        if ls.wants_refusals and outcome.reason not in _STALE:
            ls.send(extensions.REFUSED, extensions.refused_params(outcome, uri, at))
        return _nothing(ls, outcome, where)
    ls.notices.worked()
    ls.session.worker.feedback(shown=1)
    log.info("%d offered for %s", len(outcome.items), where)
    return outcome


async def watched_completion(ls: InfillServer, params: Any) -> types.InlineCompletionList | None:
    standard, steps = extensions.asked(params)
    return await answer_inline_completion(ls, standard, steps)


def copilot_inline_edit(ls: InfillServer, params: Any) -> dict[str, Any]:
    ls.next_edits, ls.session.on_activity = True, ls.tell
    try:
        return inline_completion.copilot_inline_edit(ls, params)
    except Exception:
        log.exception("unexpected fault in copilot_inline_edit")
        return {"edits": []}


def code_action(ls: InfillServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    try:
        return code_actions.code_actions(ls, params)
    except Exception:
        log.exception("unexpected fault in code_action")
        return []


async def resolve(ls: InfillServer, params: types.CodeAction) -> types.CodeAction:
    try:
        return await commands.resolve(ls, params)
    except JsonRpcException:
        raise
    except Exception:
        log.exception("unexpected fault in resolve")
        raise Declined("an unexpected fault; the server's log has its place") from None


def _nothing(ls: InfillServer, refusal: Refusal, where: str) -> types.InlineCompletionList | None:
    """An empty list takes back what the editor may still show; null leaves it."""
    log.log(
        logging.DEBUG if refusal.reason in _STALE else logging.INFO,
        "nothing for %s: %s (%s)",
        where,
        refusal.message,
        refusal.reason,
    )
    notice, message = ls.notices.of(refusal), f"infill-ls: {refusal.message}"
    if notice == "show":
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))
    elif notice == "log":
        ls.window_log_message(types.LogMessageParams(types.MessageType.Warning, message))
    return None if refusal.reason in _STALE else types.InlineCompletionList([])


async def accepted(ls: InfillServer, arguments: list[Any], token: Any) -> None:
    """The client has inserted a suggestion; `arguments` are those of the item's command."""
    ls.session.worker.feedback(accepted=1)
    for each in arguments:
        if isinstance(each, dict) and isinstance(uri := each.get("uri"), str):
            ls.session.forget_offer(uri)


async def status(ls: InfillServer, arguments: list[Any], token: Any) -> Any:
    return msgspec.to_builtins(await ls.session.worker.status())


async def restart_worker(ls: InfillServer, arguments: list[Any], token: Any) -> None:
    await ls.session.restart_worker()


async def fill(ls: InfillServer, arguments: list[Any], token: Any) -> types.WorkspaceEdit | None:
    return await commands.fill(ls, next(iter(arguments), None), token)


async def rewrite(ls: InfillServer, arguments: list[Any], token: Any) -> types.WorkspaceEdit | None:
    return await commands.rewrite(ls, next(iter(arguments), None), token)


async def proofread(ls: InfillServer, arguments: list[Any], token: Any) -> dict[str, int]:
    return await commands.proofread(ls, next(iter(arguments), None), token)


COMMANDS = {
    "infill.accepted": accepted,
    "infill.fill": fill,
    "infill.proofread": proofread,
    "infill.restartWorker": restart_worker,
    "infill.rewrite": rewrite,
    "infill.status": status,
}


@_boundary
async def shutdown(ls: InfillServer, params: None) -> None:
    await ls.session.shut_down()


def _field(value: Any, name: str) -> Any:
    """A field of free-form JSON, which pygls makes objects of, or leaves as it is."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _watch_files(ls: InfillServer) -> None:
    """Have the client say which files change, if it can; else they are looked at again now and then."""
    where = "workspace.did_change_watched_files.dynamic_registration"
    if not get_capability(ls.client_capabilities, where):
        return
    watchers = [types.FileSystemWatcher(glob) for glob in (*watched_globs(), "**/.gitignore")]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    asked = types.RegistrationParams([types.Registration("infill-files", method, options)])

    def registered(answer: Future[Any]) -> None:
        ls.session.following.watched = not answer.cancelled() and answer.exception() is None

    ls.client_register_capability(asked).add_done_callback(registered)


def _pull_configuration(ls: InfillServer) -> bool:
    """Ask the client for our section, if it can be asked. Nothing waits for the answer."""
    if not get_capability(ls.client_capabilities, "workspace.configuration"):
        return False

    def received(answer: Future[Any]) -> None:
        if answer.cancelled():
            return
        ls.awaits_configuration = False
        if answer.exception() is None:
            ls.configure("configuration", next(iter(answer.result() or ()), None))
        ls.session.warm_up()

    ls.awaits_configuration = True
    item = types.ConfigurationItem(section=SECTION)
    ls.workspace_configuration(types.ConfigurationParams([item])).add_done_callback(received)
    return True


def _unexpected(record: logging.LogRecord) -> bool:
    """An action that comes to nothing is no fault, which pygls would log with its trace."""
    return not (record.exc_info and isinstance(record.exc_info[1], Declined))


def serve(server: InfillServer, tcp: tuple[str, int] | None = None) -> None:
    """Serve until the client leaves; standard output belongs to the protocol."""
    logging.getLogger("pygls.protocol.json_rpc").addFilter(_unexpected)
    if tcp:
        server.start_tcp(*tcp)
    else:
        server.start_io(cast(BinaryIO, transport.Frames(sys.stdin.buffer)))
