"""A loaded model on this machine as a denoiser.

Given prompt ids and canvas rows, it returns proposals and scores, and decides what stays in the cache of keys
and values. It implements `diffusion.interface`. It knows ids and tensors, not text, and not how the model was
loaded.
"""
