"""The network's computation: encoder and decoder passes, experts, vision, and weights packed into fewer bits.

Given ids and loaded weights, it returns logits, keys and values; it also counts the memory that a model needs
and sets up torch's threads. It knows no files, no text and no requests.
"""
