"""Checkpoints that are known to be of use here; plain data.

Sizes and memory are computed from the released geometry (`memory_budget`), not measured. A download shows the
sizes that the hub says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    id: str
    licence: str
    gigabytes: float  # of files; 0: not known
    memory: dict[str, float]  # infill.quantization -> least GB on a device, with keys, values and logits
    use: str  # what for, in a few words


GEMMA = "google/diffusiongemma-26B-A4B-it"
KNOWN = (
    Known(
        "embedded",
        "Apache-2.0",
        0.01,
        {"none": 0.5},
        "comes with the package; Python, small; any CPU",
    ),
    Known(
        GEMMA,
        "Apache-2.0",
        52.0,
        {"none": 54.0, "fp8": 29.8, "int8": 29.8, "int4": 17.5},
        "follows instructions; one GPU, quantised as it is loaded",
    ),
    Known(
        "RedHatAI/diffusiongemma-26B-A4B-it-FP8-dynamic",
        "Apache-2.0",
        28.0,
        {},
        "for a vLLM server (infill.backend vllm); here it would be widened to bf16",
    ),
    Known(
        "nvidia/diffusiongemma-26B-A4B-it-NVFP4",
        "Apache-2.0",
        18.9,
        {},
        "for a vLLM server on a Blackwell GPU; does not load here",
    ),
)
