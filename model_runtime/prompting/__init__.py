"""From a request to what a model reads: prompt ids and canvas rows, by the model's own budgets and special
ids.

Decides how text is laid out, with a chat template where a model follows instructions. It knows token ids,
no weights and no tensors.
"""
