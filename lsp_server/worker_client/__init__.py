"""The client of the worker daemon: finds or starts it, sends requests, and returns one answer for each.

The package decides when a daemon is started, replaced, given up or tried again. It is given messages of
`model_runtime.protocol`; it returns answers, and a refusal where something fails. It knows no documents and
no LSP.
"""
