"""How each model wants its prompt and canvas: budgets, special ids, denoise policy.

The embedded model was trained on what `EMBEDDED` describes. Knows ids and numbers, not text.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.denoise import Policy, entropy_bound, linear_temperature, stable_and_confident


@dataclass(frozen=True)
class Profile:
    context: int  # most prompt tokens
    context_step: int  # a prompt over `context` is cut in steps of this, so that the cut rarely moves
    canvas: int  # most canvas tokens
    head: int  # most pinned tokens before the first hole; more go to the prompt
    slot: int  # most tokens of one hole, filler included
    suffix: int  # pinned tokens after the hole for which room is always kept
    bos: tuple[int, ...]
    end: int  # after the last token of the file
    gap: int  # filler from a hole's end to its slack length
    first_text_id: int  # ids below are special: never noise, never offered (the gap excepted)
    policy: Policy


EMBEDDED = Profile(
    context=1024,
    context_step=256,
    canvas=96,
    head=32,
    slot=47,
    suffix=16,
    bos=(2,),
    end=1,
    gap=3,
    first_text_id=8,
    policy=Policy(
        temperature=linear_temperature(0.4, 0.8),
        accept=entropy_bound(2.0),
        stop=stable_and_confident(0.1),
        max_steps=8,
    ),
)
