"""A loaded model on this machine as a denoiser: prompts are encoded into a cache, canvas rows are denoised,
texts are scored.

Implements the interface of `diffusion`. It knows ids and tensors, not text, and not how the model was loaded.
"""
