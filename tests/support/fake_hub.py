"""A stand-in for the Hugging Face hub: serves one small repository, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"
LARGE = ".safetensors"


@dataclass
class Hub:
    """`trouble` maps a file's name, or `api`, to what goes wrong: an HTTP status, `cut` (the connection
    breaks midway) or `corrupt` (one byte differs)."""

    repo: str
    files: dict[str, bytes]
    trouble: dict[str, object] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    url: str = ""

    def sibling(self, name: str) -> dict[str, object]:
        data = self.files[name]
        told: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": self.etag(name)}
        if name.endswith(LARGE):
            told["lfs"] = {"sha256": self.etag(name), "size": len(data), "pointerSize": 134}
        return told

    def etag(self, name: str) -> str:
        data = self.files[name]
        return (hashlib.sha256 if name.endswith(LARGE) else hashlib.sha1)(data).hexdigest()


@contextlib.contextmanager
def serving(
    folder: Path, repo: str = "acme/tiny-diffusion", certificate: Path | None = None
) -> Iterator[Hub]:
    hub = Hub(repo, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)  # a proxy's client sends the whole URL
            hub.requests.append((self.command, path, self.headers.get("Range", "")))
            if re.fullmatch(rf"/api/models/{hub.repo}(/revision/\w+)?", path):
                self.api({"id": hub.repo, "sha": SHA, "siblings": [hub.sibling(n) for n in hub.files]})
            elif re.fullmatch(rf"/api/models/{hub.repo}/tree/{SHA}", path):
                self.api(
                    [
                        {"type": "file", "path": n, "oid": hub.etag(n), "size": len(hub.files[n])}
                        | (
                            {"lfs": {"oid": hub.etag(n), "size": len(hub.files[n]), "pointerSize": 134}}
                            if n.endswith(LARGE)
                            else {}
                        )
                        for n in hub.files
                    ]
                )
            elif (match := re.fullmatch(rf"/{hub.repo}/resolve/\w+/(.+)", path)) and match[1] in hub.files:
                self.file(match[1], body)
            else:
                self.refuse(404, "RepoNotFound")

        def api(self, told: object) -> None:
            status = hub.trouble.get("api")
            if isinstance(status, int):
                return self.refuse(status, "GatedRepo" if status == 403 else "")
            if isinstance(told, dict):
                told |= {"cardData": {"license": "apache-2.0"}, "tags": ["license:apache-2.0"]}
            self.send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

        def file(self, name: str, body: bool) -> None:
            data, trouble = hub.files[name], hub.trouble.get(name)
            if isinstance(trouble, int):
                return self.refuse(trouble, "GatedRepo" if trouble == 403 else "")
            headers = {"ETag": f'"{hub.etag(name)}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
            if name.endswith(LARGE):
                headers |= {"X-Linked-Etag": f'"{hub.etag(name)}"', "X-Linked-Size": str(len(data))}
            if trouble == "corrupt":
                data = bytes([data[0] ^ 1]) + data[1:]
            start, status = 0, 200
            if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
                start, status = int(match[1]), 206
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            part = data[start:]
            if body and trouble == "cut":
                self.send(status, part[: len(part) // 2], headers, length=len(part))
                self.close_connection = True
                return None
            self.send(status, part, headers, body=body)

        def refuse(self, status: int, code: str) -> None:
            headers = {"X-Error-Code": code, "X-Error-Message": code} if code else {}
            self.send(status, b"", headers)

        def send(
            self,
            status: int,
            data: bytes,
            headers: dict[str, str],
            *,
            length: int | None = None,
            body: bool = True,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            if body and self.command != "HEAD":
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    hub.url = f"{scheme}://{'localhost' if certificate else '127.0.0.1'}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
