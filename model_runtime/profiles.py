"""How each model wants its prompt and canvas: budgets, special ids, policies.

The embedded model was trained on what `EMBEDDED` describes. Knows ids and numbers, not text.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.denoise import (
    Policy,
    early_commit,
    either,
    entropy_bound,
    likeliest,
    linear_temperature,
    stable_and_confident,
    up_to_first,
)
from model_runtime.length import FillerEnds, LengthPolicy


@dataclass(frozen=True)
class Profile:
    context: int  # most prompt tokens
    context_step: int  # a prompt over `context` is cut in steps of this, so that the cut rarely moves
    canvas: int  # most canvas tokens
    head: int  # most pinned tokens before the first hole; more go to the prompt
    slot: int  # most tokens of text in one hole
    suffix: int  # pinned tokens after the hole for which room is always kept
    bos: tuple[int, ...]
    end: int  # after the last token of the file
    first_text_id: int  # ids below are special: never noise, never offered (the filler excepted)
    filler: int | None  # special id that a hole may hold
    policy: Policy
    length: LengthPolicy
    drafts: int  # retrieved drafts that are ranked
    mended: int  # of these, how many are denoised on as rows of their own
    heal: bool  # back up to a token boundary when the cursor stands inside a word
    instructions: bool  # whether it does what a user asks for in words
    special: frozenset[int] = frozenset()  # ids from `first_text_id` on that are no text either
    answer: Policy | None = None  # for a whole answer, where nothing is pinned


EMBEDDED = Profile(
    context=1024,
    context_step=256,
    canvas=96,
    head=32,
    slot=47,
    suffix=16,
    bos=(2,),
    end=1,
    first_text_id=8,
    filler=3,
    policy=Policy(
        temperature=linear_temperature(0.4, 0.8),
        accept=entropy_bound(2.0),
        stop=either(early_commit(0.8), stable_and_confident(0.1)),
        max_steps=1,  # more were tried: see the model card
        relevant=up_to_first(3),
        sample=likeliest,
    ),
    length=FillerEnds(3),
    drafts=8,
    mended=0,
    heal=False,
    instructions=False,
)
