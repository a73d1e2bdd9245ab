"""What a user can have done on request: fill, fix, rewrite, write a docstring, proofread, follow up a rename.

The package decides which actions fit a place and which hole each has. It is given a snapshot, a span and a
worker; it returns edits, or the refusal that says why there are none. It knows no LSP types and no open
documents.
"""
