"""The server towards its client: LSP messages in, LSP messages out.

Each handler parses its parameters, takes a snapshot from the session, calls `session` or `actions`, and
converts the result. Given a `Session`, `server.build` returns the server. Decides what a client is told and
in which form. Does not know what is worth suggesting. The only package that knows LSP types.
"""
