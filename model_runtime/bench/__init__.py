"""`python -m model_runtime.bench`: how long a fill takes, beside transformers' own `generate` on the
same weights and the same holes; and how far a denoise step is from the memory's speed limit.

One direction: text and cases -> runs -> statistics -> table, JSON, chart.
"""
