"""The answer to one request for text, while it is streamed: its text, and what that says for each hole.

The same for completion and chat endpoints. Sends nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from model_runtime.protocol import NextEdit
from model_runtime.remote import prompts, region_formats
from model_runtime.remote.contact import Kind

UNKNOWN = 0.5  # confidence in a text from a server that gives no log-probabilities


class Logprob(msgspec.Struct):
    logprob: float


class Logprobs(msgspec.Struct):
    token_logprobs: list[float | None] | None = None  # of completions
    content: list[Logprob] | None = None  # of chats


class Said(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    text: str | None = None
    delta: Said | None = None
    message: Said | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """One event of a stream, or a whole answer. The last three are of llama.cpp's `/infill`."""

    choices: list[Choice] = []
    content: str | None = None
    stop: bool = False
    completion_probabilities: list[Logprob] = []


@dataclass
class Answer:
    """What has come so far; written by the event loop, read by the engine's thread."""

    befores: list[str]  # for each hole to fill, the text before it
    rewrites: bool = False  # a text that is there
    chat: bool = False
    text: str = ""
    logprob: float | None = None  # nats, of all of the text; None: the server gives none
    tokens: int = 0  # that `logprob` is of
    pieces: int = 0  # chunks received
    cut: bool = False  # it is as long as it may be, and not at its end

    def begin(self, kind: Kind) -> None:
        """Start afresh: a new try, perhaps at another server."""
        self.chat, self.text, self.logprob, self.tokens = kind == "chat", "", None, 0
        self.pieces, self.cut = 0, False

    def take(self, chunk: Chunk) -> None:
        if chunk.content is not None:
            self.text += chunk.content
            self.pieces += 1
            if each := [value.logprob for value in chunk.completion_probabilities]:
                self._add(each)
        for choice in chunk.choices[:1]:
            said = choice.delta or choice.message
            self.text += choice.text or (said and said.content) or ""
            self.pieces += 1
            self.cut = self.cut or choice.finish_reason == "length"
            if given := choice.logprobs:
                each = [v for v in given.token_logprobs or [] if v is not None]
                self._add(each + [v.logprob for v in given.content or []])

    def texts(self) -> tuple[str, ...]:
        """One for each hole."""
        return tuple(prompts.read(self.text, self.befores)) if self.chat else (self.text,) * len(self.befores)

    @property
    def confidence(self) -> float:
        """The probability of the text; of a rewrite, a token's on average: most of it repeats what was there,
        and no text of many lines is likely as a whole."""
        if self.logprob is None:
            return UNKNOWN
        return math.exp(min(0.0, self.logprob / (max(1, self.tokens) if self.rewrites else 1)))

    def _add(self, logprobs: list[float]) -> None:
        self.logprob = (self.logprob or 0.0) + sum(logprobs)
        self.tokens += len(logprobs)


@dataclass
class RegionAnswer(Answer):
    """The answer of a model for next edits: the new text of a region."""

    edit: NextEdit = field(kw_only=True)
    region: str = field(kw_only=True)

    def texts(self) -> tuple[str, ...]:
        return (region_formats.read(self.text, self.edit, self.region),)


@dataclass
class Attempt:
    """One text for every hole: from one answer to all of them, or from one answer for each."""

    answers: list[Answer] = field(default_factory=list)

    def texts(self) -> tuple[str, ...]:
        return tuple(text for answer in self.answers for text in answer.texts())

    @property
    def confidence(self) -> float:
        return math.prod(answer.confidence for answer in self.answers)

    @property
    def empty(self) -> bool:
        return not "".join(self.texts()).strip()


def is_last(chunk: Chunk) -> bool:
    """Whether nothing but statistics may follow."""
    return chunk.stop or any(choice.finish_reason for choice in chunk.choices)
