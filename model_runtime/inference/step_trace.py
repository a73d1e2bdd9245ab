"""A denoise step for display: the canvas as pieces of text with their states. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import DenoiseError, Proposal, Row
from model_runtime.diffusion.results import Step
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import Token

_Result = TypeVar("_Result")


def watched(
    step: int,
    texts: Callable[[], tuple[str, ...]],
    tokens: Callable[[], tuple[Token, ...]] = tuple,
) -> Step:
    """A step whose texts and tokens are read from the denoiser only when somebody looks. What the denoiser
    cannot tell then is an Unfillable, as it is inside a fill."""
    return Step(step, _told(texts), _told(tokens))


def _told(read: Callable[[], _Result]) -> Callable[[], _Result]:
    def told() -> _Result:
        try:
            return read()
        except DenoiseError as error:
            raise Unfillable("failed", str(error)) from None

    return told


def pieces(tokens: Tokens, row: Row, proposal: Proposal) -> tuple[Token, ...]:
    """The pieces of the proposal's first row, which is `row`; none where the denoiser cannot tell its steps.

    Known text between two holes is one piece, however many tokens it has. Each position of a hole is a piece;
    one that is no text (a hole's end, half of a character) is empty.
    """
    if proposal.seen is None:
        return ()
    seen, guess = proposal.seen(), proposal.read()
    ids, logprobs = guess.ids[0], guess.logprobs[0]
    found: list[Token] = []
    known: list[int] = []
    hole = 0

    def pin() -> None:
        if text := tokens.decode(known):
            found.append(Token(text, text, "pinned", 0.0))
        known.clear()

    for at, pinned in zip(row.ids, row.pinned, strict=True):
        if pinned:
            known.append(at)
            continue
        pin()
        state = "accepted" if seen.accepted[hole] else "noise"
        text, before = (tokens.decode([each]) for each in (ids[hole], seen.before[hole]))
        found.append(Token(text, before, state, logprobs[hole]))
        hole += 1
    pin()
    return tuple(found)
