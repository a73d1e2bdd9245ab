"""What the engine is compared with: its own parts one by one, and other ways to fill a hole.

A baseline is made from a loaded engine. It takes an `Infill` and returns a `Fill`, as `Engine.run` does, so
that one evaluator can put the same holes to all. Nothing here knows the evaluator or runs in the worker.
"""
