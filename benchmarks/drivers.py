"""Two ways to put keystrokes to the server, one at a time, with a worker that answers at once.

Both have one document open. They know nothing of what is measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any, Protocol

import psutil

from benchmarks import serve
from benchmarks.framing import framed
from benchmarks.serve import ROOT, ImmediateWorker
from lsp_server.session.completion import complete
from lsp_server.session.session import Session
from lsp_server.text.document import Refusal

URI = (ROOT / "lsp_server" / "session" / "untitled.py").as_uri()  # is not there; its folder has other files

Place = tuple[int, int]  # line, character


class Driver(Protocol):
    def open(self, text: str) -> None:
        """Returns when the server has the text."""
        ...

    def change(self, start: Place, end: Place, new: str) -> None: ...

    def suggest(self, at: Place) -> bool:
        """Whether anything is offered there."""
        ...

    def memory(self) -> float:
        """MiB of the process that serves."""
        ...

    def close(self) -> None: ...


class Inside:
    """Session and pipeline in this process, called as the handlers do it."""

    def __init__(self) -> None:
        worker: Any = ImmediateWorker()
        self.session = Session(lambda settings: worker)
        self.session.use_folders([ROOT.as_uri()])
        self.version = 1
        self.loop = asyncio.new_event_loop()

    def open(self, text: str) -> None:
        self.session.open(URI, 1, "python", text)

    def change(self, start: Place, end: Place, new: str) -> None:
        self.version += 1
        self.session.change(URI, self.version, [((start, end), new)])

    def suggest(self, at: Place) -> bool:
        return self.loop.run_until_complete(self._suggest(at))

    async def _suggest(self, at: Place) -> bool:
        place = self.session.place(URI, *at)
        assert place
        return not isinstance(await complete(self.session, *place), Refusal)

    def memory(self) -> float:
        return psutil.Process().memory_info().rss / 2**20

    def close(self) -> None:
        self.loop.run_until_complete(self.session.shut_down())
        self.loop.close()


class Stdio:
    """A server process, driven over its pipes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            serve.command("immediate"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.version = self.id = 1
        self._request("initialize", {"processId": None, "rootUri": ROOT.as_uri(), "capabilities": {}})
        self._notify("initialized", {})

    def open(self, text: str) -> None:
        document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})
        self._request("workspace/executeCommand", {"command": "infill.accepted"})  # until it has the text

    def change(self, start: Place, end: Place, new: str) -> None:
        self.version += 1
        change = {"range": {"start": _position(start), "end": _position(end)}, "text": new}
        document = {"uri": URI, "version": self.version}
        self._notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def suggest(self, at: Place) -> bool:
        where = {"textDocument": {"uri": URI}, "position": _position(at), "context": {"triggerKind": 1}}
        answer = self._request("textDocument/inlineCompletion", where)
        return bool(answer and answer["items"])

    def memory(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def close(self) -> None:
        self._request("shutdown", None)
        self._notify("exit", None)
        self.process.wait(10)

    def _notify(self, method: str, params: Any, **more: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(framed({"method": method, "params": params, **more}))
        self.process.stdin.flush()

    def _request(self, method: str, params: Any) -> Any:
        self.id += 1
        self._notify(method, params, id=self.id)
        while (message := self._read()).get("id") != self.id:
            pass
        assert "error" not in message, message
        return message["result"]

    def _read(self) -> dict[str, Any]:
        """The next message. Blocks: pipes cannot be waited for on every system."""
        length, out = 0, self.process.stdout
        assert out
        while (line := out.readline()) != b"\r\n":
            assert line, "the server has left"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(out.read(length))


def _position(place: Place) -> dict[str, int]:
    return {"line": place[0], "character": place[1]}
