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
DREAMON, OPEN_DCODER = "Dream-org/DreamOn-v0-7B", "fredzzp/open-dcoder-0.5B"
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
        DREAMON,
        "Apache-2.0",
        15.2,
        {"none": 16.4, "fp8": 10.1, "int8": 10.1, "int4": 5.9},
        "fills holes in code and finds their length; no instructions; one GPU",
    ),
    Known(
        "Dream-org/Dream-Coder-v0-Base-7B",
        "Apache-2.0",
        15.2,
        {"none": 16.4, "fp8": 10.1, "int8": 10.1, "int4": 5.9},
        "fills holes in code, several lengths are tried; no instructions; one GPU",
    ),
    Known(
        OPEN_DCODER,
        "not stated",
        1.0,
        {"none": 2.0, "fp8": 1.8, "int8": 1.8, "int4": 1.5},
        "fills holes in code, several lengths are tried; no instructions; a small GPU or a CPU",
    ),
    Known(
        "dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1",
        "Apache-2.0",
        1.3,
        {},
        "fills holes in code, several lengths are tried; a small GPU or a CPU",
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
