"""The next edit. Decides where the text should change next, and to what, or that nothing is sure enough.

Given what was edited lately, a snapshot and its parse; returns edits with a confidence, or a `Refusal`.
"""
