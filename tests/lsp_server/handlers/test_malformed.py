"""Messages that no client should send: each request among them is answered, and the server goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import Any

from lsp_server.handlers.malformed import MAX_DEPTH
from tests.support.editor import FAKED
from tests.support.paths import ROOT

INVALID_PARAMS, METHOD_NOT_FOUND = -32602, -32601
START_S = 20  # a server's start and end, on a busy machine
SLOW_S = 5  # more than all of the answers may take


def exchange(*messages: Any) -> dict[Any, dict[str, Any]]:
    """A server's answers by id; the messages come between `initialize` and `exit`."""
    begin = {"id": "begin", "method": "initialize", "params": {"processId": None, "capabilities": {}}}
    sent = [begin, *messages, {"id": "end", "method": "shutdown"}, {"method": "exit"}]
    bodies = [json.dumps(each | {"jsonrpc": "2.0"} if isinstance(each, dict) else each) for each in sent]
    data = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode()) for body in bodies)
    command = [sys.executable, *FAKED]
    done = subprocess.run(command, input=data, cwd=ROOT, capture_output=True, timeout=START_S + SLOW_S)
    answers = [json.loads(line) for line in re.findall(rb"\r\n\r\n(.*?)(?=Content-Length|$)", done.stdout)]
    return {each["id"]: each for each in answers if "id" in each}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def execute(arguments: Any) -> dict[str, Any]:
    return {"method": "workspace/executeCommand", "params": {"command": "infill.accepted"} | arguments}


TEXT_FOR_A_LIST = {
    "method": "textDocument/codeAction",
    "params": {
        "textDocument": {"uri": "file:///a.py"},
        "range": {end: {"line": 0, "character": 0} for end in ("start", "end")},
        "context": {"diagnostics": "x" * 200_000},
    },
}
REQUESTS: list[tuple[dict[str, Any], int | None]] = [
    ({"method": "textDocument/inlineCompletion", "params": {"textDocument": "here"}}, INVALID_PARAMS),
    ({"method": "textDocument/inlineCompletion", "params": None}, INVALID_PARAMS),
    ({"method": "textDocument/codeAction", "params": {"nonsense": 1}}, INVALID_PARAMS),
    (TEXT_FOR_A_LIST, INVALID_PARAMS),
    ({"method": "textDocument/didOpen", "params": {}}, INVALID_PARAMS),  # a notification's method
    ({"method": "textDocument/nonsense", "params": {}}, METHOD_NOT_FOUND),
    (execute({"arguments": nested(MAX_DEPTH - 2)}), None),  # the message and its parameters are around it
    (execute({"arguments": nested(MAX_DEPTH - 1)}), INVALID_PARAMS),
    (execute({"arguments": nested(MAX_DEPTH * 10)}), INVALID_PARAMS),
    (execute({"arguments": []}), None),
]


def test_each_request_is_answered() -> None:
    started = time.monotonic()
    answers = exchange(*(request | {"id": number} for number, (request, _) in enumerate(REQUESTS)))
    assert time.monotonic() - started < START_S + SLOW_S
    for number, (request, code) in enumerate(REQUESTS):
        assert answers[number].get("error", {}).get("code") == code, (str(request)[:200], answers[number])
    assert "result" in answers["end"]


def test_what_has_no_id_is_left_out() -> None:
    nonsense = [1, [], "text", {}, {"method": 3}, {"params": nested(200)}]
    assert exchange(*nonsense).keys() == {"begin", "end"}
