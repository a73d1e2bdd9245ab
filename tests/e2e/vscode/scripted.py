"""The real server with a worker that does as scripted, for what the embedded model cannot do: take many steps,
follow an instruction. Started as `python -m tests.e2e.vscode.scripted`, it serves over standard input and output.

A line with `# problem` gets a diagnostic, as another tool's server would publish it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from lsprotocol import types as lsp

from lsp_server import server
from lsp_server.session import Session
from model_runtime.protocol import Done, Draft, Infill, Refused, Slot
from tests.test_server import FakeWorker

TEXT = "count + offset"
STEPS = 5
STEP_S = 0.3


class Scripted(FakeWorker):
    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)
        if request.instruction:
            text = request.original.replace("total", "amount")
            return Done(0, (text,) * slots, 0.9, 1, 0, 0, 0)
        for step in range(1, STEPS + 1):
            if on_draft and request.priority == "automatic":
                known = len(TEXT) * step // STEPS
                on_draft(Draft(0, step, (TEXT[:known] + "~" * (len(TEXT) - known),)))
                await asyncio.sleep(STEP_S)
        return Done(0, (TEXT,) * slots, 0.9, STEPS, 0, 0, 0)


def opened(ls: server.InfillServer, params: lsp.DidOpenTextDocumentParams) -> None:
    document = params.text_document
    found = [
        lsp.Diagnostic(
            lsp.Range(lsp.Position(number, 0), lsp.Position(number, len(line))), "this is wrong", source="test"
        )
        for number, line in enumerate(document.text.splitlines())
        if "# problem" in line
    ]
    ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(document.uri, found))


if __name__ == "__main__":
    worker: Any = Scripted()
    made = server.build(Session(lambda settings: worker))
    made.feature(lsp.TEXT_DOCUMENT_DID_OPEN)(opened)
    with contextlib.suppress(BrokenPipeError):
        made.start_io()
