from lsp_server.cli import main

main(prog_name="infill-ls")
