"""The real server with a scripted worker, for what the embedded model cannot do: take many steps, follow an
instruction, write long lines. `python -m tests.e2e.vscode.scripted` serves over standard input and output.

The word `wrong` gets a diagnostic, as another tool's server would publish it. The file that
`SCRIPTED_WIRE` names grows by one character for each request to the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from lsprotocol import types as lsp

from lsp_server.handlers import server
from lsp_server.session.session import Session
from model_runtime.protocol import Done, Draft, Infill, Refused, Slot
from tests.support.faked_server import FakeWorker

TEXT = "count + offset"
LONG = " + ".join(f"number_{index}" for index in range(14))  # below `# long`
STEPS = 5
STEP_S = 0.3


class Scripted(FakeWorker):
    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        with open(os.environ["SCRIPTED_WIRE"], "a") as wire:  # noqa: ASYNC230
            wire.write(".")
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)
        wanted = LONG if "# long" in request.prefix else TEXT
        if request.instruction:
            text = request.original.replace("total", "amount")
            return Done(0, (text,) * slots, 0.9, 1, 0, 0, 0)
        for step in range(1, STEPS + 1):
            if on_draft and request.priority == "invoked":
                known = len(wanted) * step // STEPS
                on_draft(Draft(0, step, (wanted[:known] + "~" * (len(wanted) - known),)))
                await asyncio.sleep(STEP_S)
        return Done(0, (wanted,) * slots, 0.9, STEPS, 0, 0, 0)


class DiagnosedSession(Session):
    """Publishes a diagnostic for each line that has `wrong` in it."""

    publish: Callable[[lsp.PublishDiagnosticsParams], None]

    def open(self, uri: str, version: int, language: str, text: str) -> None:
        super().open(uri, version, language, text)
        found = [
            lsp.Diagnostic(
                lsp.Range(lsp.Position(number, 0), lsp.Position(number, len(line))), "this is wrong"
            )
            for number, line in enumerate(text.splitlines())
            if "wrong" in line
        ]
        self.publish(lsp.PublishDiagnosticsParams(uri, found))


if __name__ == "__main__":
    worker: Any = Scripted()
    session = DiagnosedSession(lambda settings: worker)
    made = server.build(session)
    session.publish = made.text_document_publish_diagnostics
    with contextlib.suppress(BrokenPipeError):
        made.start_io()
