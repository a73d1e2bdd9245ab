"""The denoiser over a vLLM server that serves the same diffusion model with its per-request canvas fields.

Each row is a request of its own. Its seed canvas holds our noise and the known ids, with the known positions
pinned. The server denoises it and returns the likeliest tokens of every position; those of known positions
are ignored. Of the policy only the number of steps can be sent: temperature, acceptance and stop are the
server's own, from the model's generation_config.json. Its causal encoder cannot be asked for anything
(`wire`): texts are judged by what comes back for the holes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

import numpy as np

from model_runtime.diffusion.interface import DenoiseError, Guess, Proposal, Row, Seen
from model_runtime.diffusion.policy import Policy
from model_runtime.inference.engine import Engine
from model_runtime.prompting.chat_prompt import Chat
from model_runtime.prompting.layout import Tokens
from model_runtime.prompting.profiles import Profile
from model_runtime.remote import wire
from model_runtime.remote.background import Background
from model_runtime.remote.balance import Servers
from model_runtime.remote.contact import Contact
from model_runtime.remote.faults import Fault, no_room, not_understood
from model_runtime.remote.http import Http
from model_runtime.retrieval.reranker import Calibration


class VllmDenoiser:
    """Implements `interface.Denoiser`. One caller at a time."""

    def __init__(
        self, http: Http, servers: Servers[Contact], background: Background, profile: Profile, vocabulary: int
    ) -> None:
        self.device = "vllm at " + ", ".join(servers.states())
        self.dtype = ""
        self.profile = profile
        self._servers = servers
        self._http = http
        self._background = background
        self._vocabulary = vocabulary

    def servers(self) -> dict[str, str]:
        return self._servers.states()

    def cached(self, prompt: Sequence[int]) -> int:
        """All of it: the server has its own prefix cache, so putting prompt tokens on the canvas gains
        nothing."""
        return len(prompt)

    def prefill(self, prompt: Sequence[int]) -> None:
        """Nothing to do: the server prefills with the first request."""

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Generator[Proposal | None, Sequence[int] | None, None]:
        """Two proposals: after one step for all rows, and after all steps for those that are kept. There are
        no more, as the self-conditioning between two steps stays on the server. Free rows have only the
        second one: none of them is dropped early, and one step makes no answer."""
        canvases = self._seeded(rows, seed)
        alive: tuple[int, ...] = tuple(range(len(rows)))
        last = policy.max_steps
        for step in sorted({last if rows[0].free else 1, last}):
            sent = [(rows[i], canvases[i]) for i in alive]
            guess = yield from self._denoised(prompt, sent, step)
            seen = partial(_seen, *sent[0], settled=step == last)
            kept = yield Proposal(step, alive, step == last, lambda guess=guess: guess, seen)
            alive = alive if kept is None else tuple(kept)

    def _seeded(self, rows: Sequence[Row], seed: int) -> list[list[int]]:
        """Each row's canvas with noise in its hole, the same noise that the local denoiser would draw."""
        holes = [[at for at, known in enumerate(row.pinned) if not known] for row in rows]
        noise = _noise(seed, (len(rows), max(map(len, holes))), self.profile.first_text_id, self._vocabulary)
        canvases = [list(row.ids) for row in rows]
        for row, canvas, hole, drawn in zip(rows, canvases, holes, noise, strict=True):
            if not row.draft:
                for at, token in zip(hole, drawn, strict=False):
                    canvas[at] = token
        return canvases

    def _denoised(
        self, prompt: Sequence[int], rows: Sequence[tuple[Row, list[int]]], steps: int
    ) -> Generator[None, Any, Guess]:
        async def one(row: Row, canvas: list[int]) -> list[dict[int, float]]:
            pinned = [i for i, known in enumerate(row.pinned) if known]

            async def ask(url: str, contact: Contact) -> list[dict[int, float]]:
                request = wire.fill(contact.model, prompt, canvas, pinned, steps)
                answer = await self._http.post(url, wire.COMPLETIONS, request, wire.Completion)
                if wire.shortened(answer, len(canvas)):
                    raise no_room(url)
                if (found := wire.likeliest(answer, len(canvas), self._vocabulary)) is None:
                    raise not_understood(url)
                return found

            return await self._servers.ask(ask)

        async def all_rows() -> list[list[dict[int, float]]]:
            try:
                async with asyncio.TaskGroup() as group:  # one that fails cancels the others
                    tasks = [group.create_task(one(row, canvas)) for row, canvas in rows]
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
            return [task.result() for task in tasks]

        try:
            answers = yield from self._background.awaited(all_rows())
        except Fault as fault:
            raise DenoiseError(str(fault)) from None
        picked = [self._picked(row, answer) for (row, _), answer in zip(rows, answers, strict=True)]
        return Guess(
            [[token for token, _ in row] for row in picked],
            [[lp for _, lp in row] for row in picked],
            [_of_holes(row, answer) for (row, _), answer in zip(rows, answers, strict=True)],
        )

    def _picked(self, row: Row, answer: Sequence[dict[int, float]]) -> list[tuple[int, float]]:
        """The likeliest permitted token of each hole position, with its log-probability."""
        holes = _of_holes(row, answer)
        if row.free:
            return [max(each.items(), key=lambda item: item[1]) for each in holes]
        return [self._permitted(each, row.starts if i == 0 else None) for i, each in enumerate(holes)]

    def _permitted(self, likeliest: dict[int, float], starts: frozenset[int] | None) -> tuple[int, float]:
        """Special tokens are banned, as they are locally. There they have no probability at all, so here
        theirs is shared out among the other tokens."""
        first, special, filler = self.profile.first_text_id, self.profile.special, self.profile.filler
        allowed = {t: lp for t, lp in likeliest.items() if t == filler or (t >= first and t not in special)}
        banned = sum(math.exp(lp) for token, lp in likeliest.items() if token not in allowed)
        if starts is not None:
            allowed = {t: lp for t, lp in allowed.items() if t in starts} or allowed
        if not allowed:
            raise DenoiseError("the server's model proposes special tokens only; check infill.model")
        token = max(allowed, key=lambda t: allowed[t])
        return token, min(0.0, allowed[token] - math.log(max(1 - banned, 1e-9)))


def _noise(seed: int, shape: tuple[int, int], low: int, high: int) -> list[list[int]]:
    """Ids in [low, high): `sampler.SeededNoise`'s on a CPU, a Mersenne Twister's words modulo the range."""
    words = np.random.RandomState(seed & 0xFFFFFFFF).randint(0, 1 << 32, shape, np.uint32)
    return (low + words % (high - low)).tolist()


def _of_holes(row: Row, answer: Sequence[dict[int, float]]) -> list[dict[int, float]]:
    return [likeliest for likeliest, known in zip(answer, row.pinned, strict=True) if not known]


def _seen(row: Row, canvas: Sequence[int], *, settled: bool) -> Seen:
    """The noise that the server was sent, and which positions are accepted: after all steps all of them,
    before that none, since the server does not say."""
    before = [token for token, known in zip(canvas, row.pinned, strict=True) if not known]
    return Seen(before, [settled] * len(before))


class VllmEngine(Engine):
    """An engine that can tell the state of its servers."""

    def __init__(
        self, name: str, denoiser: VllmDenoiser, tokens: Tokens, calibration: Calibration, chat: Chat | None
    ) -> None:
        super().__init__(name, denoiser, tokens, calibration, chat)
        self._states = denoiser.servers

    def servers(self) -> dict[str, str]:
        return self._states()
