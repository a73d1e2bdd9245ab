"""What the stand-ins for model servers have in common: a server process that misbehaves when told to.

Two endpoints are for the test alone. After `POST /fault {"kind": ...}` it misbehaves. `GET /seen` returns the
request bodies so far.
"""

from __future__ import annotations

import argparse
import json
import ssl
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUS = {"401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503, "redirect": 307}
SLOW_S = 30.0


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[Handler], args: argparse.Namespace) -> None:
        super().__init__(("127.0.0.1", args.port), handler)
        self.name, self.key, self.fault, self.retry_after = args.name, args.key, args.fault, args.retry_after
        self.seen: list[str] = []
        if args.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*args.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)


class Handler(BaseHTTPRequestHandler):
    """A subclass has `respond`, and may extend `card`."""

    protocol_version = "HTTP/1.1"
    server: Any

    def card(self) -> dict[str, Any]:
        """The model's entry in /v1/models."""
        return {"id": self.server.name, "object": "model"}

    def respond(self, body: Any) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        if self.path == "/seen":
            self.answer(200, self.server.seen)
        elif self.admitted():
            if self.path == "/v1/models":
                self.answer(200, {"object": "list", "data": [self.card()]})
            else:
                self.refuse(404, "Not Found")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/fault":
            self.server.fault = json.loads(raw)["kind"]
            self.answer(200, {})
            return
        self.server.seen.append(raw.decode())
        if not self.admitted():
            return
        body = json.loads(raw)
        if body.get("model") not in (None, self.server.name):
            self.refuse(404, f"The model `{body['model']}` does not exist.")
        else:
            self.respond(body)

    def admitted(self) -> bool:
        """Whether to go on. False: a fault that needs no request body has been answered."""
        fault, key = self.server.fault, self.server.key
        if self.path.startswith("/v1") and key and self.headers.get("Authorization") != f"Bearer {key}":
            self.answer(401, {"error": "Unauthorized"})
        elif fault in STATUS:
            self.refuse(STATUS[fault], "as asked for by a test")
        elif fault == "html":
            self.answer(200, "<html>a sign-in page</html>", "text/html")
        elif fault == "slow":
            time.sleep(SLOW_S)
            self.close_connection = True
        elif fault == "cut":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        else:
            return True
        return False

    def refuse(self, status: int, message: str) -> None:
        error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
        self.answer(status, {"error": error})

    def answer(self, status: int, body: Any, kind: str = "application/json") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status in (429, 503) and self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        if status == 307:
            self.send_header("Location", "http://example.invalid/")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def events(self, events: Iterable[Any], done: bool = True) -> None:
        """Answer with a stream; with `done` false it lacks its end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        if done:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", default="embedded")
    parser.add_argument("--key", default="")
    parser.add_argument("--fault", default="")
    parser.add_argument("--retry-after", default="")
    parser.add_argument("--certificate", nargs=2, metavar=("CERT", "KEY"))
    return parser


def serve(server: Server) -> None:
    """Print the port, then serve until killed."""
    print(server.server_address[1], flush=True)
    server.serve_forever()
