"""`python -m model_runtime.training`: how the embedded model was made, and adapters for one's own code.

It is given source files that are on this machine. It decides what is learnt from and what is held out,
trains, and writes a model folder with its calibration and model card, or an adapter's folder. The worker
imports nothing of it, and it does not know the server or the evaluator (which it starts as a command).
"""
