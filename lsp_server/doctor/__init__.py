"""`infill-ls doctor`: what could be in the way, and what to do about it. Changes nothing, and asks no
network but the servers of `infill.backendUrl`."""
