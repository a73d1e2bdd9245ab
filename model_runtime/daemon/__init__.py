"""The worker process: who is connected, which request runs next, and when the model and the process leave.

It is given an endpoint, a choice of model and a function that loads an engine. It answers every request
exactly once with a message of `model_runtime.protocol`. It does not know tensors, tokens or how a fill is
made: an engine is anything that can be stepped.
"""
