"""The process behind the page: listens on this machine, serves the page's files, and gives each websocket a
language server. Who may ask for what is decided in `site`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from lsp_server import package_version
from lsp_server.config.settings import SETTINGS, default_of
from lsp_server.play.bridge import COMMAND, LONGEST, bridge
from lsp_server.play.site import Site
from lsp_server.text.languages import LANGUAGES

HOST = "127.0.0.1"


def config(given: dict[str, Any]) -> dict[str, Any]:
    """The page's `config.json`: version, languages and the table of settings. `given`: settings from the
    command line."""
    table = {
        name: {"description": it.description, "default": default_of(name), "schema": it.check.schema}
        for name, it in SETTINGS.items()
    }
    languages = [language.id for language in LANGUAGES]
    return {"version": package_version(), "languages": languages, "given": given, "settings": table}


async def listen(port: int, given: dict[str, Any], command: tuple[str, ...] = COMMAND) -> tuple[Server, Site]:
    """Start listening on 127.0.0.1; port 0 takes any that is free. `command` starts a language server. Raises
    OSError where the port is taken."""
    site: Site | None = None

    async def serve_socket(socket: ServerConnection) -> None:
        await bridge(socket, command)

    def answer(socket: ServerConnection, request: Request) -> Response | None:
        assert site
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        if (page := site.answer(request.path, headers)) is None:
            return None
        reason = HTTPStatus(page.status).phrase
        return Response(page.status, reason, Headers(site.headers(page)), page.body)

    server = await serve(
        serve_socket, HOST, port, process_request=answer, max_size=LONGEST, server_header=None
    )
    site = Site(server.sockets[0].getsockname()[1], config(given))
    return server, site


async def run(port: int, given: dict[str, Any], log: str | None, started: Callable[[str], None]) -> None:
    """Serve until the process is interrupted or ended; `started` is called with the page's address."""
    server, site = await listen(port, given, (*COMMAND, *(["--log", log] if log else [])))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: an interruption is an exception there
            break
    async with server:
        started(site.address)
        await stop.wait()
