"""One fill inside the worker, from a request to texts with a confidence.

Decides the order: lay out, prefill, draft, denoise, rank. It is driven step by step and knows nothing of
clients or queues.
"""
