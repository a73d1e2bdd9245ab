"""One editor's state: settings, open documents, the worker in use, and what was suggested last.

The package decides when the worker is asked, and answers from memory where it can. It is given settings,
edits of documents and places in them; it returns frozen snapshots, edits or refusals. It knows no LSP types.
"""
