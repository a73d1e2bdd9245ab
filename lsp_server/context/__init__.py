"""What else the model sees: text of other documents and files of the workspace, without secrets.

The package decides what is read and when, and which pieces go with a request. It is given open documents,
edits, file changes and exclusion rules; it returns pieces of text, most relevant last. It knows no LSP and no
worker.
"""
