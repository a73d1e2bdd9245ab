"""Documents as text: buffers, snapshots, positions, lines, and what a parse says of them.

Given the text that a client sends, it answers questions about places in it, in code-point offsets. It knows
the languages and their grammars, but no settings, no LSP types and nothing of holes or models.
"""
