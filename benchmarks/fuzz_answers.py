"""Odd answers of model servers, for each backend that speaks HTTP: a target of benchmarks/fuzz.py.

The real engine is asked; only the bytes that come over the network are made (`odd_answers`). What comes of an
answer is a fill or one of the documented errors, in time; an edit stays in its hole, and a host that a
redirect names is never asked.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2

from benchmarks.fuzz_edits import check_edit
from benchmarks.fuzz_inputs import Failed
from benchmarks.odd_answers import MODEL, Replies, Reply
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline
from lsp_server.text.document import Snapshot
from lsp_server.text.syntax import Parses
from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.results import Fill
from model_runtime.inference.engine import Engine
from model_runtime.loading import checkpoint, prompt_setup
from model_runtime.protocol import Choice, Done, Fixed, Infill, Refused, Slot
from model_runtime.remote import balance, contact, loading
from model_runtime.remote.background import Background
from model_runtime.remote.faults import Fault
from model_runtime.remote.http import Http
from model_runtime.remote.texts import TextEngine
from model_runtime.remote.vllm import VllmDenoiser, VllmEngine
from model_runtime.retrieval import reranker

HOST = "server.invalid"
KINDS = ("fim", "infill", "suffix", "chat", "vllm")  # endpoints of OpenAI-compatible servers, and vLLM's
MOST_MESSAGE = 1_000  # characters: a message is one line for a person
WAIT_S = 30.0  # until an answer of the server has become a fill
FILLS = 8  # after one contact
_HOLES = (
    (Fixed("    found = "), Slot(8), Fixed("\n    return found\n")),
    (Fixed("    a = "), Slot(4), Fixed("\n    b = "), Slot(6), Fixed("\n")),
)
_TEXT = "def total(items):\n    found = \n    return found\n"
_CURSOR = _TEXT.index("= ") + 2


class Answers:
    """Tries one contact and some fills with one of the backends."""

    def __init__(self) -> None:
        found = checkpoint.describe(checkpoint.EMBEDDED_FOLDER, "")
        self._prompting, self._vocabulary = prompt_setup.load(found), found.vocabulary
        self._probe = self._prompting.tokens.encode(contact.PROBE_TEXT)
        self._background = Background()
        self._clock = itertools.count(0.0, 1_000.0)  # no server rests
        balance.PAUSE_S = 0.0

    def __call__(self, rng: random.Random) -> int:
        kind: Any = rng.choice(KINDS)
        replies = Replies(rng, self._vocabulary, self._prompting.tokens.profile.canvas, self._probe)
        network = Network(replies, rng)
        network.odd = rng.choice([0.0, 0.0, 0.4, 0.9])
        http = Http(key="secret", answer_s=WAIT_S)
        http._client._transport, http._client._mounts = network, {}  # what is above it is the product's
        url = f"http://{HOST}" + contact.PATHS.get(kind, "")
        vllm = kind == "vllm"
        choice = Choice(model="embedded" if vllm else MODEL, backend="vllm" if vllm else "openai", url=url)
        urls, meet = (
            loading.canvas_servers(choice, http, self._prompting)
            if vllm
            else loading.text_servers(choice, http)
        )
        servers = balance.Servers(urls, meet, lambda: next(self._clock))
        try:
            self._background.run(servers.meet_all())
        except Fault as fault:
            _check_message(str(fault))
        network.odd = rng.choice([0.0, 0.5, 0.95])
        if vllm:
            denoiser = VllmDenoiser(
                http, servers, self._background, self._prompting.tokens.profile, self._vocabulary
            )
            engine: Any = VllmEngine("", denoiser, self._prompting.tokens, _calibration(), None)
        else:
            engine = TextEngine("", http, servers, self._background)
        for number in range(FILLS):
            canvas = rng.choice(_HOLES)
            instruction = "say it" if not vllm and len(canvas) == 3 and rng.random() < 0.2 else ""
            request = Infill(
                number, "d", _TEXT[:18], canvas, candidates=rng.choice([1, 1, 3]), instruction=instruction
            )
            check_fill(engine, request)
        if rng.random() < 0.2:
            asyncio.run(check_edits(engine))
        self._background.run(http._client.aclose())
        return max(1, network.answers)


def _calibration() -> reranker.Calibration:
    return reranker.load(checkpoint.EMBEDDED_FOLDER, reranker.DENOISED_FILE)


def check_fill(engine: TextEngine | Engine, request: Infill) -> Fill | None:
    """The fill that an engine makes; None where it refuses as documented."""
    steps, until = engine.fill(request), time.monotonic() + WAIT_S
    try:
        while True:
            if time.monotonic() > until:
                raise Failed("a fill does not end")
            if step := next(steps):
                step.texts()
    except Unfillable as error:
        _check_message(str(error))
        return None
    except StopIteration as stop:
        fill: Fill = stop.value
    slots = sum(isinstance(piece, Slot) for piece in request.canvas)
    for texts, confidence in [
        (fill.texts, fill.confidence),
        *((a.texts, a.confidence) for a in fill.alternatives),
    ]:
        if len(texts) != slots or not all(isinstance(text, str) for text in texts):
            raise Failed(f"{len(texts)} texts for {slots} holes")
        if not 0.0 <= confidence <= 1.0:
            raise Failed(f"a confidence of {confidence}")
        "".join(texts).encode()
    return fill


async def check_edits(engine: TextEngine | Engine) -> None:
    """What an editor would be offered changes nothing but the hole, and can be sent."""

    class Worker:
        async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
            fill = check_fill(engine, request)
            if fill is None:
                return Refused(0, "failed", "")
            return Done(0, fill.texts, fill.confidence, 1, 0, 0, 0, alternatives=fill.alternatives)

    snapshot = Snapshot("file:///a.py", 1, "python", _TEXT, 0)
    settings = replace(Settings(), confidence_threshold=0.0)
    found = await pipeline.alternatives(snapshot, _CURSOR, Worker(), settings, Parses())
    for edit in found if isinstance(found, list) else []:
        check_edit(edit, snapshot, _CURSOR)


def _check_message(message: str) -> None:
    if len(message) > MOST_MESSAGE or not message.isprintable():
        raise Failed(f"a message that is not one line for a person: {message[:300]!r}")
    if "secret" in message:
        raise Failed("a message quotes the key")


class Network(httpx2.AsyncBaseTransport):
    """Answers each request; `odd`: the share of answers that are wrong in some way."""

    def __init__(self, replies: Replies, rng: random.Random) -> None:
        self._replies, self._rng = replies, rng
        self.odd, self.answers = 0.0, 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != HOST:
            raise Failed(f"the host of a redirect was asked: {request.url}")
        self.answers += 1
        body = await request.aread()
        reply = self._replies.to(request.url.path, json.loads(body) if body else None, odd=self.odd)
        return httpx2.Response(reply.status, headers=dict(reply.headers), stream=_Body(reply, self._rng))


class _Body(httpx2.AsyncByteStream):
    def __init__(self, reply: Reply, rng: random.Random) -> None:
        self._reply, self._rng = reply, rng

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._reply.pieces(self._rng):
            yield piece
        if self._reply.broken:
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")
