"""The real server, over stdio, with a fake worker.

`python -m tests.support.faked_server [LOG]` serves with `FakeWorker`, which fills in `filled`. A line above
the cursor may ask for something else: `# wait` to wait for ever, `# crash` to raise, `# lost` and `# failed`
to refuse. It writes each request to the file that `TEST_WIRE` names.

`python -m tests.support.faked_server recorder` serves with `Recorder`, which fills in what a line
`# fill: ...` says and has alternatives; below a line `# slow` it takes a moment. Its status tells how often
it was asked, what was counted and, as its message, what it was asked last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lsp_server.handlers import server
from lsp_server.session import logs
from lsp_server.session.session import Session
from model_runtime.protocol import Alternative, Done, Draft, Infill, Refused, Slot, Status, Texts, Token


class FakeWorker:
    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        if wire := os.environ.get("TEST_WIRE"):
            with open(wire, "ab") as file:  # noqa: ASYNC230
                file.write(msgspec.json.encode(request) + b"\n")
        if "# crash" in request.prefix:
            raise RuntimeError(f"a bug in {request.prefix!r}")
        if "# lost" in request.prefix:
            return Refused(0, "worker-lost", "the worker is gone")
        if "# failed" in request.prefix:
            return Refused(0, "failed", "no model at /m: copy it again")
        await asyncio.sleep(3600 if "# wait" in request.prefix else 0)
        return Done(0, ("filled",), 0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        logging.getLogger("lsp_server.fake").warning("prepared")

    async def status(self) -> Status:
        return Status(
            id=0,
            pid=1,
            state="ready",
            model="fake",
            device="cpu",
            message="",
            progress=1.0,
            memory_bytes=0,
            clients=1,
            queued=0,
            served=0,
            p50_ms=None,
            p90_ms=None,
        )

    def tell(self, texts: Texts) -> None:
        pass

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        logging.getLogger("lsp_server.fake").warning("feedback %d %d", shown, accepted)

    async def stop(self) -> bool:
        return True

    async def close(self) -> None:
        pass


class Recorder(FakeWorker):
    def __init__(self) -> None:
        self.requests: list[Infill] = []
        self.shown = self.accepted = 0

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        self.shown, self.accepted = self.shown + shown, self.accepted + accepted

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        if "# slow" in request.prefix:
            await asyncio.sleep(0.3)
        if request.instruction:
            return Refused(0, "instruction", "the model fake follows no instructions")
        if on_draft:
            pieces = (Token("a =", "a =", "pinned", 0.0), Token(" fi", "#!", "noise", -1.5))
            on_draft(Draft(0, 1, ("fi",), pieces if request.tokens else ()))
        await asyncio.sleep(3600 if "# wait" in request.prefix else 0)
        if request.original:  # proofreading
            return Done(0, (request.original.replace("wrong", "right"),), 0.9, 1, 0, 0, 0)
        above = request.prefix.rpartition("# fill: ")[2] if "# fill: " in request.prefix else "filled\n"
        if "# crash" in request.prefix:
            raise RuntimeError("a bug")
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)
        texts = [(text,) * slots for text in (above.partition("\n")[0], "filled", "other", "spare")]
        others = tuple(Alternative(each, 0.8) for each in texts[1 : request.candidates])
        return Done(0, texts[0], 0.9, 3, 0, 0, 0, alternatives=others)

    async def status(self) -> Status:
        last = msgspec.json.encode(self.requests[-1]).decode() if self.requests else ""
        counts = {"served": len(self.requests), "shown": self.shown, "accepted": self.accepted}
        return msgspec.structs.replace(await super().status(), **counts, message=last)


if __name__ == "__main__":
    recorder = sys.argv[1:] == ["recorder"]
    logs.configure(Path(sys.argv[1]) if sys.argv[1:] and not recorder else None)
    worker: Any = Recorder() if recorder else FakeWorker()
    with contextlib.suppress(BrokenPipeError):
        server.serve(server.build(Session(lambda settings: worker)))
