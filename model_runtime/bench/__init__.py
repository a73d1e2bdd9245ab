"""`python -m model_runtime.bench`: how long a fill takes, beside transformers' own `generate` on the same
weights and the same holes; and how far a denoise step is from the memory's speed limit.

It is given a model or a geometry, and returns times as JSON, table and chart. What is measured (`cases`,
`steps`) knows nothing of how it is told (`report`, `chart`). How good a fill is, nothing here knows.
"""
