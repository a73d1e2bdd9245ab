"""What a user has set: the settings, which of them a workspace may make, and which files are left alone.

Given raw client options, paths and folders, it returns values that work and one line for each problem. It
knows no LSP types and starts nothing.
"""
