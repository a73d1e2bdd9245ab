"""`infill-ls play`: a page to try the server in a browser, on this machine only."""
