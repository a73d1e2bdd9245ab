"""`infill-ls models`: which checkpoints are known or in the cache, and downloading one.

Given an id, it returns a folder whose checksums are right and whose files make a model, or an error with its
remedy. The only part of the product that downloads anything, and only when asked to. It does not run a model.
"""
