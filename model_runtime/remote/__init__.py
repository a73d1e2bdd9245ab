"""Engines whose model runs on a server: vLLM with its diffusion fields, or any OpenAI-compatible one.

Text goes only to the URLs of `infill.backendUrl`. No weights here.
"""
