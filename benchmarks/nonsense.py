"""Inputs for benchmarks/fuzz.py: LSP messages and socket frames, from proper to hopeless.

All of it follows from the random generator that is given; nothing here sends anything.
"""

from __future__ import annotations

import json
import random
import struct

import msgspec

from benchmarks.framing import Json
from model_runtime import protocol
from model_runtime.protocol import Cancel, Feedback, Hello, Infill, Slot, StatusRequest

TEXTS = [
    "",
    "x",
    "a = \n",
    "é😀\r\n",
    "\ud83d",
    "\0",
    "\x0c\u2028",
    "def f(:\n    (",
    "((((" * 500,
    "x" * 200_000,
]
URIS = ["file:///a.py", "file:///b.py", "", "not a uri", "http://[", "file:///%00%ff", "untitled:1"]
NUMBERS = [0, 1, 2, 7, 10**6, 2**31 - 1, 2**31, 2**63, -1, 1.5, "1", None, [], True]
METHODS = ["textDocument/hover", "infill/nonsense", "$/progress", "", "\n", "initialized", "💥", "a" * 10_000]


class LspInputs:
    """Messages for the server, more or less wrong."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.id = 10**6

    def position(self) -> Json:
        def number() -> Json:
            return self.rng.choice(NUMBERS) if self.rng.random() < 0.3 else self.rng.randrange(6)

        return {"line": number(), "character": number()}

    def message(self) -> dict[str, Json]:
        pick = self.rng.choice
        uri = pick(URIS[:2]) if self.rng.random() < 0.8 else pick(URIS)
        document: dict[str, Json] = {"uri": uri}
        kind = self.rng.randrange(8)
        self.id += 1
        if kind == 0:
            document |= {"languageId": pick(["python", "klingon", ""]), "version": 1, "text": pick(TEXTS)}
            return {"method": "textDocument/didOpen", "params": {"textDocument": document}}
        if kind == 1:
            changes: list[Json] = [{"text": pick(TEXTS)}]
            if self.rng.random() < 0.8:
                changes = [
                    {"range": {"start": self.position(), "end": self.position()}, "text": pick(TEXTS)}
                    for _ in range(self.rng.randrange(3))
                ]
            document["version"] = pick(NUMBERS)
            params = {"textDocument": document, "contentChanges": changes}
            return {"method": "textDocument/didChange", "params": params}
        if kind == 2:
            return {"method": "textDocument/didClose", "params": {"textDocument": document}}
        if kind in (3, 4):
            context = {"triggerKind": self.rng.choice([1, 2, 2, 7])}
            params = {"textDocument": document, "position": self.position(), "context": context}
            return {"id": self.id, "method": "textDocument/inlineCompletion", "params": params}
        if kind == 5:
            params = {"command": pick(["infill.accepted", "infill.nope", ""]), "arguments": [document]}
            return {"id": self.id, "method": "workspace/executeCommand", "params": params}
        if kind == 6:
            settings = {
                pick(["model", "languages", "logLevel", "deadlineMs", "x"]): pick([None, [], {}, "x"])
            }
            params = {"settings": {"infill": settings}}
            return {"method": "workspace/didChangeConfiguration", "params": params}
        return pick(
            [
                {"id": self.id, "method": pick(METHODS), "params": pick([None, {}, []])},
                {"method": pick(METHODS), "params": pick([None, {}, []])},
                {"method": "$/cancelRequest", "params": {"id": pick([self.id, "x", None, {}])}},
                {"id": pick([1, 10**9, "x"]), "result": pick([None, {}, "x"])},
                {"id": pick([1, 10**9, "x"]), "error": {"code": 1, "message": "x"}},
            ]
        )

    def mutated(self, message: Json) -> Json:
        """With one of its parts, anywhere below `params`, replaced or missing."""
        holder: Json = message
        key: Json = "params"
        while isinstance(value := holder[key], dict | list) and value and self.rng.random() < 0.7:
            holder = value
            key = self.rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if self.rng.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            odd = [None, 0, -1, 1e308, 10**400, "", "\ud800", [], {}, [[]], {"jsonrpc": "2.0"}, "x" * 10**5]
            holder[key] = self.rng.choice(odd)
        return message

    def body(self) -> tuple[bytes, Json]:
        """A body, and the id that has to be answered, if any."""
        message = {"jsonrpc": "2.0"} | self.message()
        if "params" in message and self.rng.random() < 0.4:
            message = self.mutated(message)
        expected = message["id"] if "id" in message and "method" in message else None
        return json.dumps(message).encode(), expected

    def garbled(self) -> bytes:
        """A body that is no message, in a proper frame."""
        body = bytearray(self.body()[0])
        for _ in range(self.rng.randrange(1, 6)):
            body[self.rng.randrange(len(body))] = self.rng.randrange(256)
        depth = self.rng.choice([100, 5_000, 100_000])
        return self.rng.choice(
            [
                bytes(body),
                bytes(body)[: self.rng.randrange(len(body))],
                b"[" * depth,
                b'{"jsonrpc":"2.0","method":"a","params":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1),
                b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"a"}',
                json.dumps([1, "x", None]).encode(),
                json.dumps({"jsonrpc": "2.0"}).encode("utf-16"),
                b'"\xff\xfe"',
                b"\xef\xbb\xbf{}",
                self.rng.randbytes(self.rng.randrange(1, 200)),
            ]
        )

    def misframed(self) -> bytes:
        """Bytes without a proper frame, or with a wrong length in it."""
        body = self.body()[0]
        wrong = self.rng.choice(
            [len(body) + self.rng.randrange(1, 2000), self.rng.randrange(len(body)), 10**11, 10**30]
        )
        return self.rng.choice(
            [
                b"Content-Length: %d\r\n\r\n%s" % (wrong, body),
                b"Content-Length: -%d\r\n\r\n%s" % (len(body), body),
                b"Content-Length: many\r\n\r\n" + body,
                b"Content-Length: %d\r\n" % self.rng.randrange(3000),
                b"\r\n" * self.rng.randrange(5),
                body,
                self.rng.randbytes(self.rng.randrange(1, 3000)),
                b"x" * 50_000,
            ]
        )


def socket_input(rng: random.Random) -> bytes:
    """One input for the worker: a frame, a damaged one, or other bytes."""
    good = rng.choice(
        [
            Infill(rng.randrange(50), "d", "x = 1\n", (Slot(4),), deadline_ms=rng.choice([None, 0, 5, -1])),
            Infill(rng.randrange(50), "", "", ()),
            Cancel(rng.randrange(50)),
            StatusRequest(1),
            Feedback(rng.choice([0, 1, -5, 10**12])),
            Hello(version=rng.choice([0, 1, 2, -1])),
        ]
    )
    body = bytearray(msgspec.msgpack.encode(good))
    if rng.random() < 0.6:
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    nested = rng.choice([b"\x91", b"\x81\xa1a"]) * rng.choice([100, 50_000])
    return rng.choice(
        [
            struct.pack(">I", len(body)) + body,
            struct.pack(">I", len(body)) + body,
            struct.pack(">I", len(body)) + body[: rng.randrange(len(body))],
            struct.pack(">I", rng.choice([0, 2**32 - 1, protocol.MAX_FRAME, protocol.MAX_FRAME + 1])) + body,
            struct.pack(">I", len(nested)) + nested,
            rng.randbytes(rng.randrange(1, 200)),
            b"GET / HTTP/1.1\r\n\r\n",
        ]
    )
