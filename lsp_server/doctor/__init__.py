"""`infill-ls doctor`: what could be in the way, and what to do about it. Changes nothing, asks no network."""
