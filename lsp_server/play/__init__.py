"""`infill-ls play`: a page to try the server in a browser, on this machine only.

Decides who may have the page (`site`), and joins each page's websocket to a language server of its own
(`bridge`). Given a port and settings, serves until it is ended. Reads no LSP messages and knows no model.
"""
