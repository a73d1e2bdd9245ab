"""The checks of `infill-ls doctor`: what could be in the way, and what to do about it.

Given the settings and a client of the worker, `checkup.examine` returns findings. Changes nothing, starts no
worker, and asks no network but the servers of `infill.backendUrl`. Does not know how findings are printed.
"""
