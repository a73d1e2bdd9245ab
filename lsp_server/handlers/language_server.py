"""The server's state towards one client, and the messages that it sends unasked.

Answers no requests: `server` registers the handlers that do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from lsp_server import package_version
from lsp_server.handlers.client_capabilities import ClientCapabilities
from lsp_server.handlers.diagnostics import publisher
from lsp_server.handlers.document_sync import NOTEBOOKS, SyncProtocol
from lsp_server.handlers.progress import Progress
from lsp_server.handlers.support import Declined
from lsp_server.session import logs
from lsp_server.session.notices import Notices
from lsp_server.session.session import Session
from lsp_server.session.worker_status import WorkerStatus
from lsp_server.text.document import Refusal

from . import malformed

log = logging.getLogger(__name__)


class InfillServer(LanguageServer):
    def __init__(self, session: Session) -> None:
        self.session = session
        self.client = ClientCapabilities()
        self.configured = asyncio.Event()  # not while the client is asked, and the model to load not known
        self.configured.set()
        self.wants_next_edits = False  # the client has asked for one
        self._problems: list[str] = []  # of the settings, as the user was told them
        self._notices = Notices()
        session.tracked_ranges.on_change = publisher(
            session.tracked_ranges, self.text_document_publish_diagnostics
        )
        session.tracker.on_problem = self._show_problem
        super().__init__(
            "infill-ls",
            package_version(),
            protocol_cls=SyncProtocol,
            converter_factory=malformed.converter,
            notebook_document_sync=NOTEBOOKS,
        )

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Overrides pygls, which would open a dialog for each faulty message; here it is logged."""
        if not isinstance(error, Declined):
            log.error("%s", type(error).__name__, exc_info=error)

    def configure(self, source: str, raw: Any, of_folders: Mapping[str, Any] | None = None) -> None:
        """Take settings from the client."""
        self.report(self.session.configure(source, raw, of_folders))
        logs.set_level(self.session.settings.log_level)

    def report(self, problems: list[str]) -> None:
        """Show the user those problems of the settings that were not there before."""
        before, self._problems = self._problems, problems
        for problem in self._problems:
            if problem not in before:
                self._show_problem(problem)

    def _show_problem(self, problem: str) -> None:
        log.warning("%s", problem)
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, problem))

    def send_status(self, status: WorkerStatus) -> None:
        """Tell the client of a change in what the worker does, in the forms that it understands."""
        if self.client.wants_status:
            params = {"state": status.state, "message": status.message}
            more = {"progress": status.progress, "latency": status.latency}
            self.send("infill/status", params | {name: x for name, x in more.items() if x is not None})
        if self.wants_next_edits:
            kind = {"degraded": "Warning", "stopped": "Inactive"}.get(status.state, "Normal")
            busy = status.state in ("busy", "loading")
            self.send("didChangeStatus", {"busy": busy, "kind": kind, "message": status.message})

    def notify_refused(self, refusal: Refusal) -> None:
        """Tell the user why there are no suggestions, once, if that is worth telling."""
        notice, message = self._notices.of(refusal), f"infill-ls: {refusal.message}"
        if notice == "show":
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))
        elif notice == "log":
            self.window_log_message(types.LogMessageParams(types.MessageType.Warning, message))

    def notify_worked(self) -> None:
        """There was a suggestion: if the worker fails again, the user is told again."""
        self._notices.worked()

    def send_log(self, level: int, text: str) -> None:
        """A record of `logging`, as a message for the client's own log."""
        kinds = {logging.ERROR: types.MessageType.Error, logging.WARNING: types.MessageType.Warning}
        kind = kinds.get(level, types.MessageType.Info if level >= logging.INFO else types.MessageType.Log)
        self.window_log_message(types.LogMessageParams(kind, text))

    def send(self, method: str, params: Any) -> None:
        self.protocol.notify(method, params)

    def apply(self, label: str, edit: types.WorkspaceEdit) -> None:
        """Have the client make an edit. Nothing waits for it; whether it failed is only logged."""

        def answered(answer: Future[types.ApplyWorkspaceEditResult]) -> None:
            if not answer.cancelled() and (fault := answer.exception()):
                log.warning("the client did not apply %s: %s", label, fault)
            elif not answer.cancelled() and not (result := answer.result()).applied:
                log.warning("the client did not apply %s: %s", label, result.failure_reason)

        params = types.ApplyWorkspaceEditParams(edit, label)
        self.protocol.send_request(types.WORKSPACE_APPLY_EDIT, params).add_done_callback(answered)

    def start_progress(self, title: str, token: types.ProgressToken | None) -> Progress:
        request = self.protocol.send_request if self.client.shows_progress else None
        return Progress(self.work_done_progress, title, token, request)
