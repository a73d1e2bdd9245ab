"""The LSP handlers: parse the parameters, take a snapshot, call, convert the answer. Thin on purpose.

Documents live in the session, not in pygls's workspace, whose text documents split lines where
`str.splitlines` does and so lose step with the client at the first form feed or U+2028.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar, cast

import msgspec
from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from lsp_server import package_version, pipeline, positions
from lsp_server.document import Edit, Refusal, Snapshot, Span
from lsp_server.languages import watched_globs
from lsp_server.positions import Encoding
from lsp_server.session import Change, Session

log = logging.getLogger(__name__)

SECTION = "infill"
_STALE = {"superseded", "cancelled"}  # answered with null, which leaves alone what the editor shows
_FAULTS = {"failed", "worker-lost"}  # what a user has to hear of

_Handler = TypeVar("_Handler", bound=Callable[..., Awaitable[Any]])


class _Protocol(LanguageServerProtocol):
    """pygls's protocol with document synchronisation going to the session."""

    @property
    def _session(self) -> Session:
        return cast(InfillServer, self._server).session

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Any:
        document = params.text_document
        self._session.open(document.uri, document.version, document.language_id, document.text)
        if not cast(InfillServer, self._server).awaits_configuration:
            self._session.warm_up()

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Any:
        document = params.text_document
        self._session.change(document.uri, document.version, map(_change, params.content_changes))

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Any:
        self._session.close(params.text_document.uri)


class InfillServer(LanguageServer):
    def __init__(self, session: Session) -> None:
        self.session = session
        self.awaits_configuration = False  # while it does, the model to load is not known
        self._told: list[str] = []
        super().__init__("infill-ls", package_version(), protocol_cls=_Protocol)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A fault in a message is the log's business; pygls would open a dialog for each."""
        log.error("%s", error)

    def configure(self, source: str, raw: Any) -> None:
        told, self._told = self._told, self.session.configure(source, raw)
        for problem in self._told:
            if problem not in told:
                log.warning("%s", problem)
                self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, problem))
        set_log_level(self.session.settings.log_level)


def build(session: Session) -> InfillServer:
    server = InfillServer(session)
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)
    server.command("infill.accepted")(accepted)
    server.command("infill.status")(status)
    server.command("infill.restartWorker")(restart_worker)
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
    folders = [folder.uri for folder in params.workspace_folders or ()]
    ls.session.use_folders(folders or ([params.root_uri] if params.root_uri else []))
    ls.configure("initializationOptions", params.initialization_options)


def initialized(ls: InfillServer, params: types.InitializedParams) -> None:
    _watch_files(ls)
    _pull_configuration(ls)


def did_change_watched_files(ls: InfillServer, params: types.DidChangeWatchedFilesParams) -> None:
    ls.session.following.files_changed()


def did_change_configuration(ls: InfillServer, params: types.DidChangeConfigurationParams) -> None:
    if not _pull_configuration(ls):
        sent = params.settings
        ls.configure("configuration", sent.get(SECTION, sent) if isinstance(sent, dict) else sent)


@_boundary
async def inline_completion(
    ls: InfillServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    uri, position, session = params.text_document.uri, params.position, ls.session
    where = f"{uri}:{position.line + 1}:{position.character + 1}"
    if (snapshot := session.snapshot(uri, position.line)) is None:
        return _nothing(ls, Refusal("not-open", "the document is not open"), where)
    line = position.line - snapshot.first_line
    offset = positions.to_offset(snapshot.text, line, position.character, session.encoding)
    settings = session.settings
    if params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked:
        settings = replace(settings, confidence_threshold=0.0)  # asked for, so shown, however unsure
    context = session.context.gather
    work = pipeline.suggest(snapshot, offset, session.worker, settings, session.parses, context)
    outcome = await session.newest(uri, work)
    if isinstance(outcome, Refusal):
        return _nothing(ls, outcome, where)
    log.info("%d characters for %s, %.0f ms", len(outcome.text), where, outcome.ms)
    at = _range(snapshot, outcome.span, session.encoding)
    return types.InlineCompletionList([_item(outcome, at)])


def accepted(ls: InfillServer, *arguments: Any) -> None:
    """The client has inserted a suggestion; `arguments` are those of the item's command."""
    log.info("accepted %s", arguments)


@_boundary
async def status(ls: InfillServer, *arguments: Any) -> Any:
    return msgspec.to_builtins(await ls.session.worker.status())


@_boundary
async def restart_worker(ls: InfillServer, *arguments: Any) -> None:
    await ls.session.worker.stop()
    await ls.session.worker.prepare()


@_boundary
async def shutdown(ls: InfillServer, params: None) -> None:
    await ls.session.shut_down()


def _nothing(ls: InfillServer, refusal: Refusal, where: str) -> types.InlineCompletionList | None:
    """An empty list takes back what the editor may still show; null leaves it."""
    log.log(
        logging.DEBUG if refusal.reason in _STALE else logging.INFO,
        "nothing for %s: %s (%s)",
        where,
        refusal.message,
        refusal.reason,
    )
    if refusal.reason in _FAULTS:
        message = types.LogMessageParams(types.MessageType.Warning, f"infill-ls: {refusal.message}")
        ls.window_log_message(message)
    return None if refusal.reason in _STALE else types.InlineCompletionList([])


def _item(edit: Edit, at: types.Range) -> types.InlineCompletionItem:
    arguments = [{"uri": edit.uri, "version": edit.version, "length": len(edit.text)}]
    return types.InlineCompletionItem(
        insert_text=edit.text,
        range=at,
        command=types.Command(title="infill: accepted", command="infill.accepted", arguments=arguments),
    )


def _range(snapshot: Snapshot, span: Span, encoding: Encoding) -> types.Range:
    start, end = (positions.to_position(snapshot.text, offset, encoding) for offset in (span.start, span.end))
    return types.Range(
        types.Position(snapshot.first_line + start[0], start[1]),
        types.Position(snapshot.first_line + end[0], end[1]),
    )


def _change(event: types.TextDocumentContentChangeEvent) -> Change:
    if isinstance(event, types.TextDocumentContentChangeWholeDocument):
        return None, event.text
    start, end = event.range.start, event.range.end
    return ((start.line, start.character), (end.line, end.character)), event.text


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


def set_log_level(name: str) -> None:
    """pygls logs whole documents at the level info: it keeps quiet unless debugging."""
    logging.getLogger("lsp_server").setLevel(name.upper())
    logging.getLogger("pygls").setLevel(logging.DEBUG if name == "debug" else logging.ERROR)


def serve(tcp: tuple[str, int] | None = None) -> None:
    """Serve until the client leaves; standard output belongs to the protocol, the log goes to stderr."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    set_log_level("info")
    server = build(Session())
    if tcp:
        server.start_tcp(*tcp)
    else:
        server.start_io()
