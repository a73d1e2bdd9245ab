"""What vLLM accepts of a `/v1/completions` request for a diffusion model, rule for rule, in our words.

Read in the wheel of 0.32.0, where the same rules were then seen (tests/real_vllm), and of 0.33:
`utils/diffusion.py` the canvas fields; `sampling_params.py` (`_validate_diffusion`, `_validate_logprobs`)
what is not supported; `entrypoints/openai/completion/protocol.py` log-probabilities; `renderers/params.py`
lengths; `v1/core/sched/scheduler.py` the assertion over `prompt_logprobs`. One thing is stricter: a field
that this project does not send on purpose is refused, as vLLM would ignore a misspelt one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FIELDS = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "top_k", "add_special_tokens", "logprobs",
    "prompt_logprobs", "return_token_ids", "return_tokens_as_token_ids", "stream", "vllm_xargs",
    "seed", "min_p", "min_tokens", "logit_bias", "bad_words", "allowed_token_ids", "response_format",
    "structured_outputs", "logprob_token_ids", "echo",
}  # fmt: skip
XARGS = {
    "diffusion_canvas_length", "diffusion_seed_canvas", "diffusion_pinned", "diffusion_max_steps",
    "diffusion_read_only", "diffusion_constrained",
}  # fmt: skip


class Invalid(Exception):
    """Answered with status 400."""


class Deadly(Exception):
    """Accepted, and then the engine ends over it, and the server with it."""


@dataclass(frozen=True)
class Served:
    canvas: int  # the checkpoint's, or as --diffusion-config says
    vocabulary: int
    model_len: int = 4096
    max_logprobs: int = 20
    max_steps: int = 48


@dataclass(frozen=True)
class Accepted:
    prompts: list[list[int]]
    width: int  # of the canvas that was asked for
    room: int  # of it that is denoised: as much as the model's length leaves
    seed: list[int] | None
    pinned: list[int]
    steps: int
    logprobs: int | None


def accept(body: dict[str, Any], served: Served) -> Accepted:
    """The request with its defaults filled in. Raises Invalid, with vLLM's own message where it matters, and
    Deadly."""

    def check(valid: bool, message: str, parameter: str = "") -> None:
        if not valid:
            raise Invalid(f"{message} (parameter={parameter})" if parameter else message)

    unknown = set(body) - FIELDS
    check(not unknown, f"unknown fields: {sorted(unknown)}")
    prompts = body.get("prompt")
    check(bool(prompts), "You must pass at least one prompt")
    check(isinstance(prompts, list), "this server is asked with token ids")
    prompts = prompts if isinstance(prompts[0], list) else [prompts]
    check(all(_whole(t) and t >= 0 for prompt in prompts for t in prompt), "prompt: not token ids")
    check(all(t < served.vocabulary for prompt in prompts for t in prompt), "Token id is out of vocabulary")
    for name in ("logprobs", "prompt_logprobs"):
        value = body.get(name)
        if value is not None:
            check(_whole(value) and value >= -1, f"`{name}` must be a positive value or -1.", name)
            check(
                value <= served.max_logprobs,
                f"Requested {name} of {value}, which is greater than max allowed",
            )
    default = {"temperature": 1.0, "min_p": 0.0, "min_tokens": 0}
    check(
        all(body.get(name, value) == value for name, value in default.items())
        and not any(body.get(n) for n in ("logit_bias", "bad_words", "allowed_token_ids"))
        and body.get("seed") is None,
        "The temperature, min_p, seed, min_tokens, logit_bias, bad_words, and allowed_token_ids sampling "
        "parameters are not yet supported with diffusion models.",
    )
    check(
        not body.get("response_format") and not body.get("structured_outputs"),
        "Structured outputs are not yet supported for diffusion language models.",
    )
    extra = body.get("vllm_xargs") or {}
    check(not set(extra) - XARGS, f"unknown vllm_xargs: {sorted(set(extra) - XARGS)}")
    for name, value in extra.items():
        items = value if isinstance(value, list) else [value]
        check(
            all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items),
            f"vllm_xargs.{name}: strings, numbers and lists of them only",
        )
    width = extra.get("diffusion_canvas_length")
    if width is not None:
        check(
            _whole(width) and 0 < width <= served.canvas,
            "diffusion_canvas_length must be a positive integer no larger than the served canvas.",
            "extra_args",
        )
    expected = width or served.canvas
    seed = extra.get("diffusion_seed_canvas")
    if seed is not None:
        check(
            isinstance(seed, list) and all(map(_whole, seed)),
            "diffusion_seed_canvas must be a list of token ids.",
            "extra_args",
        )
        check(
            all(0 <= t < served.vocabulary for t in seed),
            f"diffusion_seed_canvas ids must be in [0, {served.vocabulary}).",
            "extra_args",
        )
        check(
            len(seed) == expected,
            f"diffusion_seed_canvas must hold exactly {expected} ids, got {len(seed)}.",
            "extra_args",
        )
    pinned = extra.get("diffusion_pinned")
    if pinned is not None:
        check(
            isinstance(pinned, list) and all(map(_whole, pinned)),
            "diffusion_pinned must be a list of canvas positions.",
            "extra_args",
        )
        check(seed is not None, "diffusion_pinned needs a diffusion_seed_canvas to hold.", "extra_args")
        check(
            all(0 <= p < expected for p in pinned),
            "diffusion_pinned positions must lie inside the canvas.",
            "extra_args",
        )
    steps = extra.get("diffusion_max_steps")
    check(
        steps is None or (_whole(steps) and steps > 0),
        "diffusion_max_steps must be a positive integer.",
        "extra_args",
    )
    read_only = extra.get("diffusion_read_only")
    check(read_only in (None, 0, 1), "diffusion_read_only must be a boolean (or 0/1).", "extra_args")
    constrained = extra.get("diffusion_constrained")
    check(constrained in (None, 0, 1), "diffusion_constrained must be a boolean (or 0/1).", "extra_args")
    check(
        not constrained or bool(body.get("logprob_token_ids")),
        "diffusion_constrained needs logprob_token_ids: they are the allowed set.",
        "extra_args",
    )
    longest = max(map(len, prompts))
    check(
        longest <= served.model_len,
        f"This model's maximum context length is {served.model_len} tokens. However, your prompt contains "
        f"{longest} input tokens, which exceeds this limit even without any output tokens.",
    )
    check(longest < served.model_len, "max_tokens must be at least 1, got 0.", "max_tokens")
    # 0.32.0, lines 2200 and 2290: what only encodes may say nothing of a prompt, and a canvas comes later.
    if body.get("prompt_logprobs") is not None or body.get("echo"):
        raise Deadly
    wanted = min(body.get("max_tokens") or 16, expected) if read_only else expected
    return Accepted(
        prompts,
        expected,
        min(wanted, served.model_len - longest),
        seed,
        pinned or [],
        max(1, min(steps or served.max_steps, served.max_steps)),
        body.get("logprobs"),
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
