"""`infill-ls eval`: how good is what an editor gets, and what does each part add?

On top of both other packages, and imported by neither: it cuts holes into text, puts them through the
server's own pipeline, and lets the real worker, or any contender in this process, answer.
"""
