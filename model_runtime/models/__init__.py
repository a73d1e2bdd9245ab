"""`infill-ls models`: which checkpoints are known, and fetching one. The only part of the product that
downloads anything, and only when asked to."""
