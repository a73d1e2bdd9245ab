"""One fill inside the worker, from a request to texts with a confidence.

It decides the order: lay out, prefill, draft, denoise, rank. It is driven a step at a time and returns a
`Fill`. It knows nothing of clients, queues or tensors.
"""
