"""The session's beginning and end, and what changes around its documents: settings, folders, files on disk.

Knows no documents; they come in through `document_sync`.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

from lsprotocol import types
from pygls.capabilities import get_capability

from lsp_server.handlers.language_server import InfillServer
from lsp_server.session import logs
from lsp_server.session.layered_settings import OPTIONS
from lsp_server.text.languages import watched_globs
from lsp_server.text.positions import Encoding

from . import client_capabilities

SECTION = "infill"  # of the client's configuration


def initialize(ls: InfillServer, params: types.InitializeParams) -> None:
    encoding = ls.workspace.position_encoding
    ls.session.encoding = cast(Encoding, getattr(encoding, "value", encoding))
    ls.client = client_capabilities.of(params.capabilities)
    if ls.client.wants_log:
        logs.to_client(ls.send_log)
    if ls.client.wants_status:
        ls.session.worker.on_status = ls.send_status
    folders = [folder.uri for folder in params.workspace_folders or ()]
    ls.session.use_folders(folders or ([params.root_uri] if params.root_uri else []))
    ls.configure(OPTIONS, params.initialization_options)


def initialized(ls: InfillServer, params: types.InitializedParams) -> None:
    _watch_files(ls)
    _pull_configuration(ls)


def did_change_watched_files(ls: InfillServer, params: types.DidChangeWatchedFilesParams) -> None:
    ls.session.tracker.files_changed()


def did_change_workspace_folders(ls: InfillServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.report(ls.session.use_folders(ls.workspace.folders))
    _pull_configuration(ls)  # the new folders may have settings of their own


def did_change_configuration(ls: InfillServer, params: types.DidChangeConfigurationParams) -> None:
    """The settings come with the notification if the client cannot be asked for them."""
    if not _pull_configuration(ls):
        sent = params.settings
        ls.configure("configuration", sent.get(SECTION, sent) if isinstance(sent, dict) else sent)


async def shutdown(ls: InfillServer, params: None) -> None:
    await ls.session.shut_down()


def _watch_files(ls: InfillServer) -> None:
    """Have the client report which files change. If it cannot, the session looks for changes now and then."""
    capability = "workspace.did_change_watched_files.dynamic_registration"
    if not get_capability(ls.client_capabilities, capability):
        return
    watchers = [types.FileSystemWatcher(glob) for glob in (*watched_globs(), "**/.gitignore")]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    params = types.RegistrationParams([types.Registration("infill-files", method, options)])

    def registered(answer: Future[Any]) -> None:
        ls.session.tracker.watched = not answer.cancelled() and answer.exception() is None

    ls.client_register_capability(params).add_done_callback(registered)


def _pull_configuration(ls: InfillServer) -> bool:
    """Ask the client for our section, in general and as it is in each folder of the workspace; whether it can
    be asked. Does not wait for the answer."""
    if not get_capability(ls.client_capabilities, "workspace.configuration"):
        return False

    def received(answer: Future[Any]) -> None:
        if answer.cancelled():
            return
        ls.configured.set()
        if answer.exception() is None:
            general, *own = answer.result() or [None]
            told = zip(folders, own, strict=False)
            ls.configure(
                "configuration", general, {folder: raw for folder, raw in told if raw not in (None, general)}
            )
        ls.session.warm_up()

    ls.configured.clear()
    folders = list(ls.workspace.folders)
    items = [types.ConfigurationItem(scope, SECTION) for scope in (None, *folders)]
    ls.workspace_configuration(types.ConfigurationParams(items)).add_done_callback(received)
    return True
