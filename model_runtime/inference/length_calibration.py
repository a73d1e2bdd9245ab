"""How sure a model is of each length of a hole, at many places whose true lengths differ: what is left when
these are averaged is the length's own share (`loading/length_bias`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.diffusion.interface import DenoiseError
from model_runtime.inference import candidates
from model_runtime.inference.engine import Engine
from model_runtime.prompting.layout import LayoutError, Tokens
from model_runtime.protocol import Infill


def first_steps(engine: Engine, requests: Iterable[Infill]) -> Iterator[dict[int, float]]:
    """For each request with one hole: size of a hole -> mean log-probability of its tokens after one step.
    One that cannot be laid out is left out. Raises Unfillable where the model tries no lengths, and
    DenoiseError."""
    policy = engine.tokens.profile.length
    if not isinstance(policy, CandidateLengths):
        raise Unfillable(
            "invalid", f"{engine.name} finds the length of a hole itself; there is nothing to measure"
        )
    all_of_them = replace(policy, survivors=len(policy.lengths) + 1)
    tokens = Tokens(engine.tokens.tokenizer, replace(engine.tokens.profile, length=all_of_them))
    for request in requests:
        try:
            layout = engine.chat.lay(request) if engine.chat else tokens.lay(request)
        except LayoutError:
            continue
        if not layout.single:
            continue
        rows, sizes = candidates.rows(tokens, layout, (), 1)
        steps = engine.denoiser.denoise(layout.prompt, rows, tokens.profile.policy, request.seed)
        first = next((each for each in steps if each is not None), None)
        steps.close()
        if first is None:
            raise DenoiseError("the model took no step")
        yield {
            size: sum(row) / len(row) for size, row in zip(sizes, first.read().logprobs, strict=True) if row
        }
