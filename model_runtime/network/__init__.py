"""The network: its two passes, its experts, its weights in fewer bits, and the memory and threads that all
this takes.

Given ids and weights it returns logits, keys and values. It knows no files, no text and no requests.
"""
