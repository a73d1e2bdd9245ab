"""Lays a request out as what a model reads: prompt ids and canvas rows.

Given a request, a tokenizer and the model's profile, it decides what is cut, what is pinned, and what a chat
template adds. It returns token ids and knows no weights and no tensors.
"""
