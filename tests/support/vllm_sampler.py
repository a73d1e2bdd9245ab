"""vLLM 0.33's denoising of one canvas (its `diffusion_gemma.py`), for a model of ours on the CPU.

Unlike our own denoiser, vLLM counts pinned positions in the entropy budget and the stop test, and gives them
no self-conditioning. With `pins="embedding"` they get their own embedding, as in ours: then one step is the
same computation on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

import torch
from torch import Tensor

from model_runtime.diffusion.interface import Branch
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network import forward

T_MIN, T_MAX = 0.4, 0.8  # the released generation_config.json
ENTROPY_BOUND = 0.1
CONFIDENCE = 0.005
STABLE = 2  # equal answers in a row

Pins = Literal["embedding", "zero"]


@torch.inference_mode()
def denoised(
    denoiser: LocalDenoiser,
    prompt: Sequence[int],
    seed: Sequence[int],
    pinned: Sequence[int],
    steps: int,
    most: int,
    pins: Pins,
) -> tuple[list[int], Tensor]:
    """(the argmax canvas, log-probabilities at temperature 1 [C, V]). `most`: the number of steps that the
    temperature schedule is made for."""
    model = denoiser.model
    known = torch.zeros(len(seed), dtype=torch.bool)
    known[list(pinned)] = True
    first = torch.tensor(list(seed))
    view = denoiser._canvas_view(denoiser._encode(prompt), 1, len(seed))
    positions = torch.arange(len(prompt), len(prompt) + len(seed))[None]
    held = forward.embed(model, first) * known[:, None] if pins == "embedding" else 0.0
    canvas, signal, history = first, torch.zeros_like(forward.embed(model, first)) + held, []
    for step in range(steps):
        hidden = forward.decode(model, canvas[None], signal[None], positions, view.masks, view.kv)
        logits = forward.logits(model, hidden)[0]
        tempered = logits / (T_MIN + (T_MAX - T_MIN) * (most - step) / most)
        logp = tempered.log_softmax(-1)
        entropy = -(logp.exp() * logp).sum(-1)
        ranked, order = entropy.sort()
        accepted = torch.zeros_like(known).scatter(0, order, ranked.cumsum(0) - ranked <= ENTROPY_BOUND)
        sampled = torch.multinomial(logp.exp(), 1)[:, 0]
        noise = torch.randint(0, logits.shape[-1], canvas.shape)
        canvas = torch.where(known, first, torch.where(accepted, sampled, noise))
        history.append(tempered.argmax(-1))
        stable = len(history) >= STABLE and all(torch.equal(history[-1], h) for h in history[-STABLE:])
        signal = forward.soft_embed(model, logp.exp()) * ~known[:, None] + held
        if stable and entropy.mean() < CONFIDENCE:
            break
    return history[-1].tolist(), logits.log_softmax(-1)


def causal(denoiser: LocalDenoiser, prompts: Sequence[Sequence[int]]) -> list[list[float | None]]:
    """Each prompt token's log-probability given those before it; as in vLLM, None for the first. A prefix
    that the prompts share is encoded once, to save time."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))
    shared = min(len(list(same)), min(map(len, prompts)) - 1)
    stem = list(prompts[0][:shared])
    (common,) = denoiser.score(stem[:1], [], [Branch(stem[1:])])
    rests = denoiser.score(stem[:-1], stem[-1:], [Branch(prompt[shared:]) for prompt in prompts])
    return [[None, *common.ids, *rest.ids] for rest in rests]
