"""An editor at work in a folder, with the real reader process and a worker that keeps what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lsp_server.infilling import pipeline
from lsp_server.session.session import Session
from lsp_server.text.document import Refusal
from model_runtime.protocol import Done, Draft, Infill, Refused, Texts

SECONDS = 80.0  # for the reader process to start and read


class Wire:
    """A worker that records what it is asked."""

    def __init__(self) -> None:
        self.sent: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.sent.append(request)
        return Done(0, ("x",), 0.9, steps=1, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        pass

    def tell(self, texts: Texts) -> None:
        pass

    async def close(self) -> None:
        pass


class Editor:
    """Files of a workspace on disk, open documents, and requests at the end of one."""

    def __init__(self, root: Path) -> None:
        self.root, self.wire = root, Wire()
        worker: Any = self.wire
        self.session = Session(lambda settings: worker)
        self.session.use_folders([root.as_uri()])

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str, language: str = "python") -> None:
        self.session.open(self.uri(name), 1, language, text)

    async def ask(self, name: str) -> tuple[str, ...] | Refusal:
        """The context that a request at the document's end is sent with."""
        session, uri = self.session, self.uri(name)
        snapshot = session.snapshot(uri, 1_000_000)
        assert snapshot
        self.wire.sent.clear()
        outcome = await pipeline.suggest(
            snapshot,
            len(snapshot.text),
            self.wire,
            session.settings,
            session.parses,
            context=session.gather,
        )
        if not self.wire.sent:
            assert isinstance(outcome, Refusal)
            return outcome
        return self.wire.sent[0].context

    async def until(self, name: str, *wanted: str) -> tuple[str, ...]:
        """The context once it has all that is wanted, as it comes with later requests only."""
        context: tuple[str, ...] | Refusal = ()
        for _ in range(int(SECONDS / 0.05)):
            context = await self.ask(name)
            assert not isinstance(context, Refusal), context
            if all(any(text in piece for piece in context) for text in wanted):
                return context
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came: {wanted}, only {context}")


@asynccontextmanager
async def editing(root: Path) -> AsyncIterator[Editor]:
    editor = Editor(root)
    try:
        yield editor
    finally:
        await editor.session.shut_down()
