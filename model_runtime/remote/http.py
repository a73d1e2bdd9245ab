"""JSON over HTTP: one request, and one answer, a stream or a Fault. No retries, no choice of servers.

The key comes from the environment and goes only to the user's URLs, in one header. Redirects are not
followed: they would take the key and the text elsewhere. TLS is checked against SSL_CERT_FILE or SSL_CERT_DIR
where they are set, else against the system's certificates. Proxies are as the environment says.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import msgspec

from model_runtime.remote import faults
from model_runtime.remote.faults import Fault

CONNECT_S = 3.0
ANSWER_S = 60.0  # until an answer, and between two pieces of a stream
WHOLE = 2  # times that, until all of an answer that is not streamed is there
KEEP_S = 90.0  # how long an idle connection is kept; typing pauses are shorter
MAX_ANSWER = 2**25  # bytes of an answer that is not streamed
MAX_ERROR = 10_000  # bytes of an error's body that are read
# An event that is an error: `"error"` with any value but null.
_ERROR = re.compile(r'\s*\{\s*"error"\s*:\s*[^n\s]')
# What decoding raises; the last where brackets are nested too deeply.
_NOT_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
_Answer = TypeVar("_Answer")


class Http:
    """Belongs to one event loop. `kind` is the msgspec type that an answer is decoded as; an answer that does
    not fit is a Fault."""

    def __init__(self, key: str | None = None, answer_s: float = ANSWER_S) -> None:
        """`key`: None for the one in the environment, empty for none."""
        key = os.environ.get(faults.KEY, "") if key is None else key
        self._keyed = bool(key.strip())
        self._whole_s = WHOLE * answer_s
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key.strip()}"} if self._keyed else {},
            timeout=httpx2.Timeout(answer_s, connect=CONNECT_S),
            limits=httpx2.Limits(keepalive_expiry=KEEP_S),
            follow_redirects=False,
        )

    async def get(self, url: str, path: str, kind: type[_Answer]) -> _Answer:
        """Raises Fault."""
        return await self._whole("GET", url, path, None, kind)

    async def post(self, url: str, path: str, body: Any, kind: type[_Answer]) -> _Answer:
        """Raises Fault."""
        return await self._whole("POST", url, path, body, kind)

    async def stream(
        self, url: str, path: str, body: Any, kind: type[_Answer], is_last: Callable[[_Answer], bool]
    ) -> AsyncIterator[_Answer]:
        """The events of a stream. A server that does not stream gives its whole answer as one event.

        Raises Fault, also for an event that is an error, and for a stream that ends without `[DONE]` or an
        event that `is_last`."""
        decoder, ended = msgspec.json.Decoder(kind), False
        async with self._answer("POST", url, path, body) as response:
            if "text/event-stream" not in response.headers.get("content-type", ""):
                yield await _decoded(url, response, kind)
                return
            async for event in httpx2.EventSource(response):
                if event.data.strip() == "[DONE]":
                    return
                if _ERROR.match(event.data):
                    raise Fault(f"{url} failed in the middle of its answer; its log says why", again=True)
                try:
                    answer = decoder.decode(event.data)
                except _NOT_JSON:
                    raise faults.not_understood(url) from None
                ended = ended or is_last(answer)
                yield answer
            if not ended:
                raise faults.cut(url)

    async def _whole(self, method: str, url: str, path: str, body: Any, kind: type[_Answer]) -> _Answer:
        try:
            async with asyncio.timeout(self._whole_s), self._answer(method, url, path, body) as response:
                return await _decoded(url, response, kind)
        except TimeoutError:  # it comes by the byte
            raise faults.slow(url) from None

    @asynccontextmanager
    async def _answer(self, method: str, url: str, path: str, body: Any) -> AsyncIterator[httpx2.Response]:
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._client.stream(
                method, url + path, content=content, headers={"Content-Type": "application/json"}
            ) as response:
                if response.status_code != 200:
                    said = await _said(response)
                    raise faults.of_status(
                        url, path, response.status_code, response.headers, said, keyed=self._keyed
                    )
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise faults.of_error(url, error) from None


async def _decoded(url: str, response: httpx2.Response, kind: type[_Answer]) -> _Answer:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER:
            raise faults.not_understood(url)
    try:
        return msgspec.json.decode(body, type=kind)
    except _NOT_JSON:
        raise faults.not_understood(url) from None


async def _said(response: httpx2.Response) -> str:
    """The message in an error's body, where servers use to put it; empty if none is found."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ERROR:
            break
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    return found if isinstance(found, str) else ""
