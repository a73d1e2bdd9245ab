"""The diffusion process itself: the sampler, how long a hole is, and the interface that a denoiser
implements.

Given logits and a policy, it decides which positions are accepted and when to stop; it returns ids and their
log-probabilities. It knows no model, no tokenizer and no text.
"""
