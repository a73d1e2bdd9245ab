"""The command `infill-ls play`."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
import webbrowser
from pathlib import Path

import click

from lsp_server.cli.options import Chosen, WrongUse, chosen, resolved


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Listen there; else any free port.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="Write the server's log there.")
@chosen
def play(port: int, no_browser: bool, log_file: Path | None, choice: Chosen) -> None:
    """Open a page to try the server in a browser. It is for this machine only."""
    from lsp_server.config.workspace_trust import is_path

    try:
        from lsp_server.play.service import run
    except ModuleNotFoundError as error:
        if error.name != "websockets":
            raise
        command = shlex.join([sys.executable, "-m", "pip", "install", "websockets"])
        click.echo(f"infill-ls play needs websockets, not installed here; run `{command}`", err=True)
        sys.exit(1)
    resolved(choice)  # only for its checks: the page passes the settings on to the server
    given = {name: value for name, value in choice.items() if value is not None}
    if is_path(model := given.get("model", "")):  # the server runs in another folder
        given["model"] = str(Path(model).expanduser().absolute())

    def started(address: str) -> None:
        click.echo(address)
        click.echo("Ctrl-C ends it. The address is a secret: who has it can use the server.", err=True)
        if not no_browser and not webbrowser.open(address):
            click.echo("no browser could be opened; open the address yourself", err=True)

    log = str(log_file.absolute()) if log_file else None
    try:
        with contextlib.suppress(KeyboardInterrupt):  # on Windows, where `run` handles no signals
            asyncio.run(run(port, given, log, started))
    except OSError as error:
        raise WrongUse(f"--port {port}: {error.strerror}; leave it out for a free one") from None
