"""Holes and what fills them: from a place in a document to an Edit, or to a Refusal that says why not.

Given a snapshot, its parse and the settings, it decides where the hole is, what the model is shown, and
what of the answer may be offered. It knows no LSP types, no sockets and no other documents: worker and
context come in as callables.
"""
