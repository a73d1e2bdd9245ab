"""Who else might fill a hole: the engine's own parts one by one, and the baselines beside it.

Each takes an `Infill` and gives a `Fill`, like `Engine.run`, so that one evaluator can put the same holes
to all of them. Nothing here runs in the worker.
"""
