"""The device that Triton asks for, and what vLLM imports next: Triton loads this before torchvision."""

import torch
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

NOTHING_IS_COMPILED = "kernels are interpreted here: set TRITON_INTERPRET=1"


class CpuDriver(DriverBase):
    @classmethod
    def is_active(cls):
        return True

    def get_current_target(self):
        return GPUTarget("cpu", 0, 32)

    def get_active_torch_device(self):
        return torch.device("cpu")

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0

    def map_python_to_cpp_type(self, ty):
        return ty

    def get_benchmarker(self):
        raise NotImplementedError(NOTHING_IS_COMPILED)


def declare_operators():
    """PyPI's torchvision is built for CUDA. Its own operators do not load beside a torch for CPUs, and it
    cannot be imported before these two are declared."""
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators


try:
    kept = declare_operators()  # gone with the object
except RuntimeError:  # one that fits is there and has declared them
    kept = None
