"""Engines whose model runs on a server: vLLM with its diffusion fields, or any OpenAI-compatible one.

Given a choice of backend and URLs, it decides which server gets a request and how that server is asked, and
returns fills, or a fault with its remedy. Text goes only to the URLs of `infill.backendUrl`. It holds no
weights and does not know the worker's clients or its scheduler.
"""
