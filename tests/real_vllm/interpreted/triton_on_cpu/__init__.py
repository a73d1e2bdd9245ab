"""Installed beside vLLM, never beside infill-ls. vLLM's diffusion models need its second model runner, which
needs a Triton that knows a CPU. PyPI's does not. This backend compiles nothing: with TRITON_INTERPRET=1
Triton runs kernels in its own interpreter, and only wants to be told of a device.
"""
