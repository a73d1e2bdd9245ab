"""What the commands of `infill-ls` share: options, wrong use, settings, a file, a worker to talk to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lsp_server.document import Snapshot, Span
    from lsp_server.settings import Settings

NOTE_AFTER_S = 1.0


class WrongUse(click.ClickException):
    """One line that names the remedy; exit status 2."""

    exit_code = 2


_CHOICE = (  # of what the worker runs: option, default, help
    ("--model", "embedded", "Name, id or folder."),
    ("--device", "auto", "auto, cpu, cuda, cuda:N, xpu or mps."),
    ("--dtype", "auto", "auto, float32, bfloat16 or float16."),
    ("--quantization", "none", "none, int8, int4 or fp8."),
    ("--adapter", "", "Folder of a LoRA adapter."),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


def choice_options(command: Any) -> Any:
    for option, default, text in reversed(_CHOICE):
        command = click.option(option, default=default, show_default=bool(default), help=text)(command)
    return command


def resolved(**values: Any) -> Settings:
    """The defaults with the options given; the options that a Settings check covers go through it."""
    from dataclasses import replace

    from lsp_server.settings import resolve

    chosen = {option.removeprefix("--") for option, _, _ in _CHOICE}
    for name in ("model", "adapter"):
        if values[name] and Path(values[name]).is_dir():  # as somebody in a shell means it
            values[name] = str(Path(values[name]).absolute())
    settings, problems = resolve({name: values[name] for name in chosen})
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


async def patiently(settings: Settings, use: Any) -> Any:
    """`with_worker`, telling what is being waited for if it takes a while."""

    def note() -> None:
        click.echo("waiting for the worker... (the first call loads the model, which then stays)", err=True)

    timer = asyncio.get_running_loop().call_later(NOTE_AFTER_S, note)
    try:
        return await with_worker(settings, use)
    finally:
        timer.cancel()


def read(file: Path) -> tuple[Snapshot, bytes]:
    """A file as a snapshot, and its bytes."""
    from lsp_server.document import Snapshot
    from lsp_server.languages import id_of_path

    try:
        data = file.read_bytes()  # bytes, so that line ends stay as they are
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise WrongUse(f"{file}: no such file; check the path") from None
    except IsADirectoryError:
        raise WrongUse(f"{file} is a folder; name a file in it") from None
    except OSError as error:
        raise WrongUse(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise WrongUse(f"{file} is not UTF-8 (byte {error.start}); convert it first") from None
    return Snapshot(file.resolve().as_uri(), 0, id_of_path(file), text), data


def line_count(text: str) -> int:
    from lsp_server.positions import to_position

    return to_position(text, len(text), "utf-32")[0] + 1


def range_of(snapshot: Snapshot, span: Span) -> dict[str, dict[str, int]]:
    """A span for JSON: lines and columns in characters, from 1."""
    from lsp_server.positions import to_position

    places = (to_position(snapshot.text, at, "utf-32") for at in (span.start, span.end))
    start, end = ({"line": line + 1, "column": column + 1} for line, column in places)
    return {"start": start, "end": end}
