"""Drafts for a hole, taken or composed from similar text, and the ranking of all candidates.

Given the text around a hole and other texts, it returns drafts; given candidates and their scores, it ranks
them with the probability that each is right. It knows no model and no tensors.
"""
