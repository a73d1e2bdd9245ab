"""The worker: a process that holds the model and fills holes for any number of language servers.

It is given requests as messages of `protocol`, made of text and holes, and returns texts for the holes. It
does not know editors, LSP or syntax trees. `protocol` is the only module that the language server may import.
"""
