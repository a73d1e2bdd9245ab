"""What the page's address serves, and to whom: the page's own files, to whoever has the token.

Any web page that is open in a browser can send requests to this machine. So each request must hold the token
that is part of the address, name this host, and come from this page where the browser says where it comes
from. Knows no language servers and no sockets.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

STATIC = Path(__file__).with_name("static")
SOCKET = "lsp"  # the path of the websocket
_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "play.js": "text/javascript; charset=utf-8",
    "play.css": "text/css; charset=utf-8",
    "codicon.ttf": "font/ttf",
    "LICENSES.txt": "text/plain; charset=utf-8",
}
_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP response."""

    status: HTTPStatus
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Site:
    """All that is served at one port. The token is new for each run."""

    port: int
    config: dict[str, Any]  # served to the page as config.json
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def answer(self, path: str, headers: Mapping[str, str]) -> Page | None:
        """The response to a request, or None if it may have the websocket. `headers` has lower-case names."""
        if fault := self._foreign(headers):
            return Page(HTTPStatus.FORBIDDEN, body=fault.encode())
        token, _, name = path.partition("?")[0].removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            message = b"Open the address that `infill-ls play` has printed, with all that it ends in.\n"
            return Page(HTTPStatus.FORBIDDEN, body=message)
        if name == SOCKET:
            if "origin" not in headers:
                return Page(HTTPStatus.FORBIDDEN, body=b"Only the page may connect.\n")
            return None
        if name == "config.json":
            return Page(HTTPStatus.OK, "application/json", json.dumps(self.config).encode())
        if (kind := _TYPES.get(name := name or "index.html")) is None:
            return Page(HTTPStatus.NOT_FOUND, body=b"There is no such file.\n")
        return Page(HTTPStatus.OK, kind, (STATIC / name).read_bytes())

    def headers(self, page: Page) -> dict[str, str]:
        """The response's headers. They let the page load from here and connect to here, and nowhere else."""
        sockets = " ".join(f"ws://{name}:{self.port}" for name in _NAMES)
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
            f"img-src 'self' data:; connect-src 'self' {sockets}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return {
            "Content-Type": page.kind,
            "Content-Length": str(len(page.body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def _foreign(self, headers: Mapping[str, str]) -> str:
        """Why a request is refused as another host's or another page's; empty if it is neither."""
        hosts = {f"{name}:{self.port}" for name in _NAMES}
        if headers.get("host") not in hosts:  # another name may resolve to this machine (DNS rebinding)
            return "This address is not for other hosts.\n"
        origin, fetched = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return "This address is not for other pages.\n"
        if fetched not in ("none", "same-origin"):
            return "This address is not for other pages.\n"
        return ""
