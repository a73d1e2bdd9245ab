"""A whole answer, canvas after canvas: denoise one, add it to the prompt, go on until the answer ends.

Each canvas is denoised from noise. Where the old text fits on the first canvas, a second row of the same
batch starts from it. The row with the better score is taken: the causal encoder's mean log-probability of its
tokens up to its end, or the denoiser's own where there is no encoder to ask. A row that only repeats the old
text loses against any other, since text that is in the prompt is always likely. A model that thinks gets
canvases for that first. Knows ids, no tensors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import Branch, Denoiser, Guess, Proposal, Row, Scoring
from model_runtime.diffusion.results import Fill, Filling, Order, Step
from model_runtime.prompting.chat_prompt import Question, first_of, without_fence
from model_runtime.prompting.layout import Tokens

from . import step_trace
from .halving import denoised

_Result = TypeVar("_Result")
Part = Generator[Step | None, Order, _Result]  # of a Filling

THOUGHT_CANVASES = 8  # a thought that has not ended after so many is ended


@dataclass(frozen=True)
class _Canvas:
    ids: list[int]
    logprob: float  # causal, mean nats a token up to its end
    finished: bool  # not cut short by "finish"


class Answering:
    """One answer; used once. `ends`: any of these ids ends it."""

    def __init__(self, denoiser: Denoiser, tokens: Tokens, ends: frozenset[int], seed: int) -> None:
        self._denoiser = denoiser
        self._tokens = tokens
        self._ends = ends
        self._seed = seed
        self._steps = 0
        self._warm = False

    def run(self, question: Question) -> Filling:
        """Raises Unfillable where the answer does not end in time, or within its most tokens."""
        started = time.perf_counter()
        prompt = list(question.prompt)
        self._denoiser.prefill(prompt)
        prefilled = time.perf_counter()
        if question.thought_end is not None:
            prompt = yield from self._think(prompt, question.thought_end)
        prompt += question.opening
        answer: list[int] = []
        total, text, complete = 0.0, "", False
        width = self._tokens.profile.canvas
        for number in range(max(1, math.ceil(question.most / width))):
            draft = self._draft(question) if number == 0 else None
            canvas = yield from self._canvas([*prompt, *answer], draft, answer)
            answer += canvas.ids
            total += canvas.logprob * len(canvas.ids)
            end = first_of(answer, self._ends)
            text, closed = without_fence(self._tokens.decode(answer[:end]), question.fence)
            complete = canvas.finished
            if closed or end < len(answer):
                break
            if not complete:
                raise Unfillable("deadline", "out of time before the answer ended; select fewer lines")
        else:
            tokens = len(answer)
            raise Unfillable("failed", f"the answer did not end within {tokens} tokens; select fewer lines")
        return Fill(
            texts=(text.removesuffix("\n"),),
            confidence=min(1.0, math.exp(total / max(1, len(answer)))),
            steps=self._steps,
            prefill_ms=(prefilled - started) * 1000,
            denoise_ms=(time.perf_counter() - prefilled) * 1000,
            complete=complete,
            sources=("denoiser", "original") if self._warm else ("denoiser",),
        )

    def _think(self, prompt: list[int], end: int) -> Part[list[int]]:
        """The prompt with a thought that has ended."""
        thought = list(prompt)
        for _ in range(THOUGHT_CANVASES):
            canvas = yield from self._canvas(thought, None, ())
            at = first_of(canvas.ids, frozenset({end}) | self._ends)
            thought += canvas.ids[:at]
            if at < len(canvas.ids) or not canvas.finished:
                break
        return [*thought, end]

    def _draft(self, question: Question) -> list[int] | None:
        ids = [*question.old, *question.closing]
        return ids if question.old and len(ids) <= self._tokens.profile.canvas else None

    def _canvas(self, prompt: list[int], draft: list[int] | None, before: Sequence[int]) -> Part[_Canvas]:
        profile = self._tokens.profile
        policy = profile.answer or profile.policy
        free = [False] * profile.canvas
        rows = [Row([profile.end] * profile.canvas, free, free=True)]
        if draft:
            padded = [*draft, *[profile.end] * (profile.canvas - len(draft))]
            rows.append(Row(padded, free, draft=True, free=True))
        earlier, finished = self._steps, False
        running = denoised(self._denoiser, prompt, rows, 1, policy, self._seed)
        proposal = None
        for news in running:
            proposal = news or proposal
            if news:
                self._steps = earlier + news.step
                finished = news.finished or news.step == policy.max_steps
            command = yield news and step_trace.watched(self._steps, partial(self._so_far, before, news))
            if proposal and (finished or command == "finish"):
                running.close()
                break
        assert proposal, "a denoiser proposes something"
        guess = proposal.read()
        best = guess.ids
        ended = [ids[: first_of(ids, self._ends) + 1] for ids in best]
        means = [sum(each) / len(each) for each in self._logprobs(prompt, ended, guess)]
        chosen = pick(ended, means, draft)
        self._warm = self._warm or chosen > 0
        self._seed += 1
        return _Canvas(best[chosen], means[chosen], finished)

    def _logprobs(self, prompt: list[int], ended: list[list[int]], guess: Guess) -> list[list[float]]:
        """Nats a token of each row. The denoiser's own are the weaker judge: it is sure of any row that no
        longer changes."""
        if isinstance(self._denoiser, Scoring):
            return [score.ids for score in self._denoiser.score(prompt, [], [Branch(ids) for ids in ended])]
        return [said[: len(ids)] for said, ids in zip(guess.logprobs, ended, strict=True)]

    def _so_far(self, before: Sequence[int], proposal: Proposal) -> tuple[str, ...]:
        ids = [*before, *proposal.read().ids[0]]
        return (self._tokens.decode(ids[: first_of(ids, self._ends)]),)


def pick(rows: Sequence[Sequence[int]], means: Sequence[float], old: Sequence[int] | None) -> int:
    """The row to take: the likeliest that is not the old text again, if there is one."""
    same = [old is not None and list(row) == list(old)[: len(row)] for row in rows]
    return max(range(len(rows)), key=lambda at: (not same[at], means[at]))
