"""The devices that torch can compute on here, and their memory.

As a program, `python -m model_runtime.loading.devices [MODEL]`, it prints them as JSON for `infill-ls
doctor`. With a model there is also `model`: its `folder`, its `parameters`, its bytes on `disk`, those that
it `needs` for each quantisation, or the `problem` with it.

`devices` maps a name to its free memory in bytes (null where that is the machine's own); the one that
`auto` means comes first. `cpu` says what the embedded model computes in there, and which `instructions` torch
uses. Whatever goes wrong is `error`; where libraries are missing, `remedy` says so.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from model_runtime.diffusion.faults import LOCAL, ModelError, lacking, one_line
from model_runtime.network import threads

if TYPE_CHECKING:
    import torch


def report() -> dict[str, object]:
    """torch's version and the devices, or the error; see the module's docstring."""
    try:
        import torch

        from model_runtime.network import arithmetic

        devices: dict[str, int | None] = {}
        for number in range(torch.cuda.device_count()):
            devices[f"cuda:{number}"] = torch.cuda.mem_get_info(number)[0]
        devices["cpu"] = None
        if torch.backends.mps.is_available():
            devices["mps"] = None
        for number in range(torch.xpu.device_count()):
            devices[f"xpu:{number}"] = None
    except ModuleNotFoundError as error:
        return {"error": one_line(error), "remedy": lacking("a model on this machine", *LOCAL)}
    except Exception as error:  # a broken installation breaks in many ways
        return {"error": one_line(error)}
    cpu = {"fastest": arithmetic.best(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return {"torch": torch.__version__, "devices": devices, "cpu": cpu}


def resolve_device(device: str) -> torch.device:
    """`auto` is the best device present. Raises ModelError."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from None


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def free_bytes(device: torch.device) -> int:
    """Memory that a model could take now, in bytes."""
    import psutil
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    available = psutil.virtual_memory().available
    if device.type == "mps":
        return min(available, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    if device.type == "xpu":
        return torch.xpu.mem_get_info(device)[0]
    return available


def capability_problem(kind: str, device: torch.device) -> str | None:
    """Why a device cannot use this kind of quantisation, and which one to set instead; None where it can."""
    import torch

    if kind == "fp8" and device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 9):
        major, minor = torch.cuda.get_device_capability(device)
        return (
            f"fp8 needs a GPU of compute capability 8.9 or later, this one has {major}.{minor}; "
            "set infill.quantization to int8"
        )
    if kind == "fp8" and device.type == "mps":
        return "Apple's GPUs have no fp8; set infill.quantization to int8"
    return None


def model_report(name: str) -> dict[str, object]:
    """What a model takes, or the problem with it; see the module's docstring."""
    from model_runtime.network import memory_budget

    from . import checkpoint

    try:
        found = checkpoint.examine(checkpoint.find(name), name)
        if found.infiller:
            working = memory_budget.Working.of_window(found.vocabulary, found.keys, memory_budget.WINDOW)
        else:
            logits = found.vocabulary * (found.config.get("canvas_length") or 256)
            working = memory_budget.Working(logits, found.keys.taken(memory_budget.LEAST_CONTEXT))
        weights = found.weights()
    except ModelError as error:
        return {"problem": str(error)}
    size = sum(path.stat().st_size for path in found.files)
    needs = {
        kind: memory_budget.total_bytes(weights, working, "bfloat16", kind) for kind in memory_budget.KINDS
    }
    return {"folder": str(found.folder), "parameters": weights.parameters, "disk": size, "needs": needs}


if __name__ == "__main__":
    threads.configure()
    told = report()
    if len(sys.argv) > 1:
        told["model"] = model_report(sys.argv[1])
    print(json.dumps(told))
