"""The command `infill-ls play`."""

from __future__ import annotations

import asyncio
import webbrowser
from pathlib import Path

import click

from lsp_server.options import WrongUse, device_option, model_option


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Listen there; any free port if not given.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="Write the server's log there.")
@model_option
@device_option
def play(port: int, no_browser: bool, log_file: Path | None, model: str, device: str) -> None:
    """Open a page to try the server in a browser, on this machine only."""
    from lsp_server.options import resolved
    from lsp_server.play.service import run

    resolved(model=model, device=device)  # says what is wrong with them
    given = {"model": _anywhere(model), "device": device}

    def started(address: str) -> None:
        click.echo(address)
        click.echo("Ctrl-C ends it. The address is a secret: who has it can use the server.", err=True)
        if not no_browser and not webbrowser.open(address):
            click.echo("no browser could be opened; open the address yourself", err=True)

    try:
        asyncio.run(run(port, given, str(log_file.absolute()) if log_file else None, started))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise WrongUse(f"--port {port}: {error.strerror}; leave it out for a free one") from None


def _anywhere(model: str) -> str:
    """The server runs in another folder: a path that is relative or says `~` must not depend on it."""
    return str(Path(model).expanduser().absolute()) if model.startswith((".", "~")) else model
