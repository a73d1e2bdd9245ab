"""The command line `infill-ls`.

Parses arguments, calls what the server uses too, and prints the result: for a program on standard output, the
rest on standard error. Returns exit statuses. Makes no suggestion itself and speaks no LSP.
"""
