"""One exchange with a server: what is sent beside the body, and each way to fail as one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec
import pytest

from model_runtime.remote import http
from model_runtime.remote.faults import Fault
from model_runtime.remote.http import Http
from tests.support.servers import free_port

SECRET = "the user's own text"


class Number(msgspec.Struct):
    n: int
    last: bool = False


class Scripted(BaseHTTPRequestHandler):
    """Answers with what the path says: `/STATUS`, `/stream?EVENTS`, `/slow`."""

    requests: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append(dict(self.headers))
        kind, _, rest = unquote(self.path[1:]).partition("?")
        if kind == "stream":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.end_headers()
            self.wfile.write(rest.replace("|", "\n\n").replace("+", " ").encode())
        elif kind == "trickle":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # until the client has left
                while not threading.Event().wait(0.05):
                    self.wfile.write(b" ")
        elif kind == "slow":
            threading.Event().wait(3)
        else:
            body = rest.encode() or json.dumps({"error": {"message": f"not so: {SECRET}"}}).encode()
            self.send_response(int(kind))
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://elsewhere.invalid/")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def post(url: str, path: str, key: str = "", answer_s: float = 1.0) -> Number:
    return asyncio.run(Http(key, answer_s).post(url, path, {"text": SECRET}, Number))


async def streamed(url: str, events: str) -> list[int]:
    found = []
    async for event in Http("").stream(url, f"/stream?{events}", {}, Number, lambda number: number.last):
        found.append(event.n)
    return found


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 405, 413, 422, 429, 500, 502, 503, 504])
def test_a_status_is_one_line_that_quotes_nothing(url: str, status: int) -> None:
    with pytest.raises(Fault) as caught:
        post(url, f"/{status}")
    message = str(caught.value)
    assert message.startswith(url)
    assert f"({status})" in message
    assert "; " in message, "a remedy"
    assert SECRET not in message
    assert "\n" not in message
    assert SECRET in caught.value.said
    assert caught.value.again == (status in (429, 500, 502, 503, 504))


@pytest.mark.parametrize("body", ["not+json", '{"n":"one"}', "[1,2]", "\xff", '{"n":' * 50])
def test_an_answer_of_another_kind(url: str, body: str) -> None:
    with pytest.raises(Fault, match="answers in another format; check"):
        post(url, f"/200?{body}")


def test_an_error_with_deep_brackets(url: str) -> None:
    with pytest.raises(Fault, match=r"failed \(500\)") as caught:
        post(url, "/500?" + "[" * 9_000)
    assert caught.value.said == ""


def test_an_answer_without_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 100)
    with pytest.raises(Fault, match="answers in another format"):
        post(url, '/200?{"n":3,"x":"' + "x" * 100 + '"}')


def test_an_answer_by_the_byte(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is in time, all of them are not."""
    monkeypatch.setattr(http, "WHOLE", 0.1)
    with pytest.raises(Fault, match="takes too long"):
        post(url, "/trickle", answer_s=5.0)


def test_the_key_is_sent_and_never_told(url: str) -> None:
    assert post(url, '/200?{"n":3}', key=" abc\n") == Number(3)
    assert Scripted.requests[-1]["Authorization"] == "Bearer abc"
    post(url, '/200?{"n":3}')
    assert "Authorization" not in Scripted.requests[-1]
    with pytest.raises(Fault) as caught:
        post(url, "/401", key="abc-def")
    assert "abc-def" not in repr(vars(caught.value)) + str(caught.value)
    assert "refuses the key in INFILL_LS_API_KEY (401)" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http://127.0.0.1:{port}", r"cannot be reached \(connrefused\); start the server"),
        ("http://no-such-host.invalid", r"cannot be reached \(.*\); start the server"),
        ("https://127.0.0.1:{http}", "does not speak TLS; check whether infill.backendUrl means http"),
        ("ftp://127.0.0.1", "is no address of a server; correct"),
    ],
)
def test_nobody_there(url: str, target: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    target = target.format(port=free_port(), http=url.rpartition(":")[2])
    with pytest.raises(Fault, match=message) as caught:
        post(target, "/200")
    assert str(caught.value).startswith(target)


def test_a_slow_one(url: str) -> None:
    with pytest.raises(Fault, match="takes too long; it is overloaded or stuck"):
        post(url, "/slow", answer_s=0.2)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ('data:{"n":1}|data:{"n":2}|data:[DONE]|', [1, 2]),
        ('data:{"n":1}|data:{"n":2,"last":true}|', [1, 2]),  # it does not say [DONE]
        (':keep-alive|data:{"n":1}|data:[DONE]|data:{"n":2}|', [1]),
        ("data:[DONE]|", []),
        ('data:{"n":1}|', "ended its answer midway"),
        ('data:{"n":1}|data:{"error":{"message":"dead"}}|', "failed in the middle of its answer"),
        ("data:nonsense|", "answers in another format"),
        ('data:{"x":' + "[" * 9_000 + "|", "answers in another format"),
        ("", "ended its answer midway"),
    ],
)
async def test_streams(url: str, events: str, expected: list[int] | str) -> None:
    if isinstance(expected, list):
        assert await streamed(url, events) == expected
    else:
        with pytest.raises(Fault, match=expected):
            await streamed(url, events)
