from lsp_server.cli.main import main

main(prog_name="infill-ls")
