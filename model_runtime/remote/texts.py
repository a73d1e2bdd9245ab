"""An engine over any OpenAI-compatible server, which writes texts for holes and cannot pin any.

Answers are streamed, so that a fill can be cancelled at any moment, and at its deadline ends with the text so
far. No tokenizer, no retrieved drafts, no re-ranker, no torch. What that costs in quality: docs/remote.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.results import Fill, Filling, Step
from model_runtime.protocol import Alternative, Calibrated, Infill
from model_runtime.remote import faults, prompts, region_formats
from model_runtime.remote.answer import Answer, Attempt, Chunk, RegionAnswer, is_last
from model_runtime.remote.background import Background
from model_runtime.remote.balance import Servers
from model_runtime.remote.contact import PATHS, Contact, Kind
from model_runtime.remote.faults import Fault, of_image
from model_runtime.remote.http import Http
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.scaling import UNSCALED, Scale

CHAT_TOKENS = 48  # added to the holes' tokens, for fences and the like
SOURCES = ("server",)
LONGEST_S = 600.0  # until all of an answer is there
MOST_TEXT = 200_000  # characters of an answer; no request asks for as many
VARIED = 0.8  # temperature of all candidates but the first, which has 0


class TextEngine:
    def __init__(
        self,
        name: str,
        http: Http,
        servers: Servers[Contact],
        background: Background,
        scale: Scale | None = None,
    ) -> None:
        self.name = name
        self.scale = scale
        self.device = "server at " + ", ".join(servers.states())
        self.dtype = ""
        self._servers = servers
        self._http = http
        self._background = background

    @property
    def calibrated(self) -> Calibrated:
        return "none" if self.scale is None else "fitted"

    def servers(self) -> dict[str, str]:
        return self._servers.states()

    def use(self, library: Library) -> None:
        """It composes no drafts."""

    def idle(self) -> None:
        """Nothing can be prepared here."""

    def fill(self, request: Infill) -> Filling:
        """Yields a step when text has come, and None while it waits. Raises Unfillable."""
        if not prompts.slots(request):
            raise Unfillable("invalid", "the canvas has no hole")
        if request.next_edit and region_formats.holds_mark(request):
            raise Unfillable("invalid", "the text holds a mark of the next-edit model's own format")
        if request.original and not request.instruction and not request.next_edit:
            raise Unfillable(
                "invalid", f"{self.device} only writes; infill.backend local or vllm can proofread"
            )
        began = time.perf_counter()
        attempts = [Attempt() for _ in range(max(1, request.candidates))]
        waiting, step, first, complete = self._stream_all(request, attempts), 0, None, True
        while True:
            try:
                next(waiting)
            except StopIteration:
                break
            except Fault as fault:
                raise Unfillable("failed", str(fault)) from None
            news = sum(answer.pieces for attempt in attempts for answer in attempt.answers)
            if grown := news > step:
                step, first = news, first or time.perf_counter()
            order = yield Step(step, attempts[0].texts) if grown else None
            if order == "finish" and step:
                complete = False
                break
        waiting.close()
        if request.original:
            _check_whole(request, attempts, complete)
        ended = time.perf_counter()
        first = first or ended
        yield Step(max(step, 1), attempts[0].texts)
        return replace(
            _best(attempts, self.scale or UNSCALED),
            steps=max(step, 1),
            prefill_ms=(first - began) * 1000,
            denoise_ms=(ended - first) * 1000,
            complete=complete,
        )

    def _stream_all(self, request: Infill, attempts: Sequence[Attempt]) -> Generator[None, None, None]:
        """Fills the attempts side by side; yields until all are complete. Raises Fault."""

        async def whole() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for number, attempt in enumerate(attempts):
                        group.create_task(self._attempt(request, attempt, VARIED if number else 0.0))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None

        yield from self._background.awaited(whole())

    async def _attempt(self, request: Infill, attempt: Attempt, temperature: float) -> None:
        """All holes of an attempt go to one server, as servers differ in how they are asked."""

        async def use(url: str, contact: Contact) -> None:
            if edit := request.next_edit:
                attempt.answers = [answer := RegionAnswer([""], edit=edit, region=request.original)]
                tokens = prompts.slots(request)[0].max_tokens
                body = region_formats.body(request, edit, contact.model, tokens)
                await self._stream(url, region_formats.FORMATS[edit.format].path, body, answer)
                return
            kind = "chat" if request.instruction else contact.kind
            befores = [prompts.before(request, hole) for hole in range(len(prompts.slots(request)))]
            answered = [befores] if kind == "chat" else [[before] for before in befores]  # each by one answer
            attempt.answers = [Answer(each, rewrites=bool(request.original)) for each in answered]
            try:
                async with asyncio.TaskGroup() as group:
                    for hole, answer in enumerate(attempt.answers):
                        answer.begin(kind)
                        body = _body(request, contact, kind, hole, temperature)
                        group.create_task(self._stream(url, PATHS[kind], body, answer))
            except ExceptionGroup as group:
                first = group.exceptions[0]
                if request.image and isinstance(first, Fault):
                    raise of_image(url, first) from None
                raise first from None

        await self._servers.ask(use)

    async def _stream(self, url: str, path: str, body: dict[str, Any], answer: Answer) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                async for chunk in self._http.stream(url, path, body, Chunk, is_last):
                    answer.take(chunk)
                    if len(answer.text) > MOST_TEXT:
                        raise faults.endless(url)
        except TimeoutError:
            raise faults.slow(url) from None


def _check_whole(request: Infill, attempts: Sequence[Attempt], complete: bool) -> None:
    """Half a rewrite is none: the rest of the old text would go. Raises Unfillable."""
    if not complete:
        raise Unfillable("deadline", "out of time before the answer ended; select fewer lines")
    if any(answer.cut for attempt in attempts for answer in attempt.answers):
        tokens = sum(slot.max_tokens for slot in prompts.slots(request))
        raise Unfillable("failed", f"the answer did not end within {tokens} tokens; select fewer lines")


def _best(attempts: Sequence[Attempt], scale: Scale) -> Fill:
    """The attempt with the highest confidence; the others are alternatives, empty ones last. The steps and
    times are placeholders. `scale` turns the server's probabilities into chances."""
    begun = [attempt for attempt in attempts if attempt.answers]
    ranked = sorted(begun, key=lambda attempt: (attempt.empty, -attempt.confidence))
    found: dict[tuple[str, ...], float] = {}
    for attempt in ranked:
        found.setdefault(attempt.texts(), scale.chance(attempt.confidence))
    (texts, confidence), *others = found.items()
    return Fill(
        texts=texts,
        confidence=confidence,
        steps=1,
        prefill_ms=0.0,
        denoise_ms=0.0,
        complete=True,
        alternatives=tuple(Alternative(*each, SOURCES) for each in others),
        sources=SOURCES,
    )


def _body(request: Infill, contact: Contact, kind: Kind, hole: int, temperature: float) -> dict[str, Any]:
    sizes = [slot.max_tokens for slot in prompts.slots(request)]
    body: dict[str, Any] = {"model": contact.model, "stream": True}
    if contact.adjustable:
        body["temperature"] = temperature
    if kind == "chat":
        body |= {"messages": prompts.messages(request), contact.limit: sum(sizes) + CHAT_TOKENS}
        return body | ({"logprobs": True} if contact.logprobs else {})
    before, after = prompts.around(request, hole)
    if kind == "infill":
        body |= {"input_prefix": before, "input_suffix": after, "n_predict": sizes[hole]}
        return body | ({"n_probs": 1} if contact.logprobs else {})
    body |= {"prompt": before, "suffix": after, "max_tokens": sizes[hole]}
    return body | ({"logprobs": 1} if contact.logprobs else {})
