"""What the commands of `infill-ls` share: options, wrong use, settings, a worker to talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lsp_server.settings import Settings


class WrongUse(click.ClickException):
    """One line that names the remedy; exit status 2."""

    exit_code = 2


model_option = click.option("--model", default="embedded", show_default=True, help="Name, id or folder.")
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, xpu or mps."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


def resolved(**values: Any) -> Settings:
    """The defaults with the options given; the options that a Settings check covers go through it."""
    from dataclasses import replace

    from lsp_server.settings import resolve

    settings, problems = resolve({name: values[name] for name in ("model", "device")})
    if problems:
        raise WrongUse(problems[0].replace("infill.", "--", 1).partition("; using")[0])
    return replace(settings, **values)


async def with_worker(settings: Settings, use: Any) -> Any:
    from lsp_server.session import connect

    client = connect(settings)
    try:
        return await use(client)
    finally:
        await client.close()
