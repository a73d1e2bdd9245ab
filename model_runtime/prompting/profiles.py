"""How each model wants its prompt and canvas: budgets, special ids, policies.

`EMBEDDED` is what the embedded model was trained on. `of_chat` makes the profile of a released checkpoint
that follows instructions from its own files. Knows ids and numbers, not text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds, LengthPolicy
from model_runtime.diffusion.policy import (
    Policy,
    early_commit,
    either,
    entropy_bound,
    likeliest,
    linear_temperature,
    stable_and_confident,
    up_to_first,
)
from model_runtime.prompting.fim import MiddleLast

if TYPE_CHECKING:  # it needs torch
    from model_runtime.diffusion import masked


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
    policy: Policy | masked.Policy
    length: LengthPolicy
    drafts: int  # retrieved drafts that are ranked
    composed: int  # texts of the n-gram model that are ranked
    scored: int  # texts that the causal encoder is asked about, where the n-gram model can tell the others
    mended: int  # found and composed texts, the likeliest, that the denoiser starts from in rows of their own
    written: int  # texts that the causal encoder writes, where it has what follows in sight
    heal: bool  # back up to a token boundary when the cursor stands inside a word
    special: frozenset[int] = frozenset()  # ids from `first_text_id` on that are no text either
    languages: frozenset[str] | None = None  # that the model was trained on; None: any
    answer: Policy | None = None  # for a whole answer, where nothing is pinned
    fim: MiddleLast | None = None  # how the causal encoder sees what follows a hole; None: it does not


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
    composed=8,
    scored=6,
    mended=0,
    written=0,  # four take as long as all else does, and one hole in a thousand more is right first
    heal=False,
    languages=frozenset({"python"}),
)

FOLLOWING = 40  # tokens after a hole that the causal encoder sees: about what an example had room for
NEAR = 16  # tokens of the prompt that the missing text goes on from

# transformers' defaults, for what a checkpoint's generation_config.json leaves out.
STOCK = {"max_denoising_steps": 48, "t_min": 0.4, "t_max": 0.8, "confidence_threshold": 0.005}
ENTROPY_BOUND = 0.1
HOLE_STEPS = 24  # a hole is a quarter of the canvas that the released limit of 48 steps is for
COMMIT_GAP = 0.9  # not measured on the released weights: a cautious value of Prophet's rule


def of_chat(
    *, generation: Mapping[str, Any], canvas: int, bos: int, pad: int, special: frozenset[int]
) -> Profile:
    """For a released checkpoint with a chat template: noise over the whole vocabulary, and the sampler of its
    generation_config.json. A hole is tried at several lengths, since the model was not taught to end one."""
    given = {**STOCK, **{name: generation[name] for name in STOCK if generation.get(name) is not None}}
    bound = (generation.get("sampler_config") or {}).get("entropy_bound", ENTROPY_BOUND)
    steps, released = given["max_denoising_steps"], stable_and_confident(given["confidence_threshold"])
    answer = Policy(
        temperature=linear_temperature(given["t_min"], given["t_max"]),
        accept=entropy_bound(bound),
        stop=released,
        max_steps=steps,
    )
    hole = Policy(
        temperature=answer.temperature,
        accept=answer.accept,
        stop=either(early_commit(COMMIT_GAP), released),
        max_steps=min(steps, HOLE_STEPS),
    )
    return Profile(
        context=8192,
        context_step=1024,
        canvas=canvas,
        head=min(64, canvas // 4),
        slot=canvas // 2 + canvas // 4,
        suffix=min(32, canvas // 8),
        bos=(bos,),
        end=pad,
        first_text_id=0,
        filler=None,
        policy=hole,
        length=CandidateLengths(),
        drafts=4,
        composed=0,  # not measured with such a model
        scored=6,  # so not used
        mended=0,
        written=0,
        heal=False,
        special=special,
        answer=answer,
    )


def with_filler(profile: Profile, filler: int) -> Profile:
    """A model that was taught to end a hole with `filler`: one slot with slack, no lengths to try."""
    return replace(
        profile,
        filler=filler,
        length=FillerEnds(filler),
        policy=replace(profile.policy, relevant=up_to_first(filler)),
    )


def with_fim(profile: Profile, suffix: int, middle: int) -> Profile:
    """A model whose causal encoder learnt the order that these ids mark."""
    return replace(profile, fim=MiddleLast(suffix, middle, profile.end, FOLLOWING, NEAR))
