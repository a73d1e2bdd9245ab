"""`infill-ls eval`: how good is what an editor gets, and what does each part add?

It is given files of places: texts with a cursor, most with the text that is missing there. It puts each place
through the server's own pipeline to every contender (the real worker, or a baseline in this process) and
returns scores. It stands on the other two packages, is imported by neither, and holds no tensors.
"""
