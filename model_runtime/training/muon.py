"""Muon (Jordan et al. 2024) for matrices, AdamW for the rest.

Momentum orthogonalised by a quintic Newton-Schulz iteration, scaled to AdamW's update size as in
Moonlight (arXiv 2502.16982). Matrices of one shape, experts included, are handled as one batch.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from model_runtime.training.arithmetic import matrix_type

_A, _B, _C = 3.4445, -4.7750, 2.0315  # Jordan's quintic coefficients


def orthogonalize(stack: Tensor, steps: int = 5) -> Tensor:
    """Nearest semi-orthogonal matrices, roughly: [N, rows, columns] -> the same shape."""
    x = stack.to(matrix_type(stack.device.type))
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return (x if wide else x.mT).to(stack.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.05
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in params]
            for p in params:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum"] for p in params]
            torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
            updates = [*torch._foreach_lerp(grads, buffers, group["momentum"])]
            shapes: dict[torch.Size, list[int]] = defaultdict(list)
            for number, p in enumerate(params):
                shapes[p.shape[-2:]].append(number)
            for shape, members in shapes.items():
                stack = orthogonalize(torch.cat([updates[i].reshape(-1, *shape) for i in members]))
                scale = 0.2 * max(shape) ** 0.5
                pieces = stack.split([updates[i].numel() // shape.numel() for i in members])
                for i, piece in zip(members, pieces, strict=True):
                    updates[i] = piece.reshape(params[i].shape) * scale
            torch._foreach_mul_(params, 1 - group["lr"] * group["decay"])
            torch._foreach_add_(params, updates, alpha=-group["lr"])


def optimizers(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for hidden matrices; AdamW for embeddings, norms, router scales."""
    matrices, rest = [], []
    for name, p in model.named_parameters():
        if p.requires_grad:
            (matrices if p.ndim >= 2 and "embed" not in name else rest).append(p)
    return [
        Muon(matrices, lr),
        torch.optim.AdamW(rest, lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]
