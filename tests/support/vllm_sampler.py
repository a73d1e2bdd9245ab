"""vLLM's denoising of one canvas (0.32 and 0.33, `models/diffusion_gemma.py`), for a model of ours on a CPU.

Unlike our own denoiser, vLLM counts pinned positions in the entropy budget and the stop test, gives them no
self-conditioning, and lets the sliding window slide along the canvas (`v1/attention/backends/`). `alike`
leaves out the last two: then one step is the same computation on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network import forward
from model_runtime.network.forward import FULL, SLIDING
from model_runtime.training.served import slid

T_MIN, T_MAX = 0.4, 0.8  # the released generation_config.json
ENTROPY_BOUND = 0.1
CONFIDENCE = 0.005
STABLE = 2  # equal answers in a row


@torch.inference_mode()
def denoised(
    denoiser: LocalDenoiser,
    prompt: Sequence[int],
    seed: Sequence[int],
    pinned: Sequence[int],
    steps: int,
    most: int,
    alike: bool,
) -> tuple[list[int], Tensor]:
    """(the argmax canvas, log-probabilities at temperature 1 [C, V]). `most`: the number of steps that the
    temperature schedule is made for."""
    model = denoiser.model
    known = torch.zeros(len(seed), dtype=torch.bool)
    known[list(pinned)] = True
    first = torch.tensor(list(seed))
    view = denoiser._canvas_view(denoiser._encode(prompt), 1, len(seed))
    masks = view.masks if alike else {FULL: None, SLIDING: slid(denoiser._window, len(prompt), len(seed))}
    positions = torch.arange(len(prompt), len(prompt) + len(seed))[None]
    held = forward.embed(model, first) * known[:, None] if alike else 0.0
    canvas, signal, history = first, torch.zeros_like(forward.embed(model, first)) + held, []
    for step in range(steps):
        hidden = forward.decode(model, canvas[None], signal[None], positions, masks, view.kv)
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
