"""Denoising as such: the sampler's recurrence, how long a hole is, and what a denoiser
and a fill look like to others.

Given logits and a policy, it decides which positions are accepted and when to stop. It knows no model, no
tokenizer and no text.
"""
