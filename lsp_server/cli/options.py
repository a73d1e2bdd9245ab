"""What the commands of `infill-ls` share: options, wrong use, settings, reading a file, and a worker."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lsp_server.config.settings import Settings
    from lsp_server.text.document import Snapshot, Span

NOTE_AFTER_S = 1.0  # after which a user who waits is told for what


class WrongUse(click.ClickException):
    """Ends the command with exit status 2. The message is one line that names the remedy."""

    exit_code = 2


Chosen = Mapping[str, str | None]  # setting's name -> the option's value, None if it was not given

# The settings that say what the worker runs, by name, with their options.
_CHOICE = {
    "model": click.option("--model", help="Name, id or folder; embedded if not given."),
    "device": click.option("--device", help="auto (the default), cpu, cuda, cuda:N, xpu or mps."),
    "dtype": click.option("--dtype", help="auto (the default), float32, bfloat16, float16 or int8."),
    "quantization": click.option("--quantization", help="none (the default), int8, int4 or fp8."),
    "passes": click.option(
        "--passes", help="kept (the default) or exact: of DreamOn, Dream-Coder, Open-dCoder."
    ),
    "adapter": click.option("--adapter", help="Folder of a LoRA adapter."),
    "backend": click.option("--backend", help="local (the default), vllm or openai."),
    "backendUrl": click.option("--backend-url", metavar="URL,...", help="Where the backend's servers are."),
}
language_option = click.option(
    "--language", metavar="ID", help="What FILE is written in, also where infill.languages does not name it."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


def chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that adds the options of `_CHOICE`. The command gets them together, as `choice`."""

    @functools.wraps(command)
    def gathered(*args: Any, **options: Any) -> Any:
        choice = {name: options.pop(_as_argument(name)) for name in _CHOICE}
        return command(*args, choice=choice, **options)

    for option in reversed(_CHOICE.values()):
        gathered = option(gathered)
    return gathered


def resolved(choice: Chosen, **values: Any) -> Settings:
    """The default settings, changed by the options, and then by `values`, which are not checked. Raises
    WrongUse for an option's value that is not valid."""
    from dataclasses import replace

    from lsp_server.config.settings import resolve

    absolute = {  # in a shell, the name of a folder means that folder
        name: str(Path(value).absolute())
        for name in ("model", "adapter")
        if (value := choice.get(name)) and Path(value).is_dir()
    }
    settings, problems = resolve({**choice, **absolute})
    if problems:
        problem = problems[0].partition("; using")[0]
        for name in sorted(choice, key=len, reverse=True):
            problem = problem.replace(f"infill.{name}", f"--{_as_argument(name).replace('_', '-')}")
        raise WrongUse(problem)
    return replace(settings, **values)


def _as_argument(setting: str) -> str:
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", setting)


async def with_worker(settings: Settings, use: Any) -> Any:
    """The result of `await use(worker)`, with a client of the worker that these settings ask for."""
    from lsp_server.session.session import connect

    client = connect(settings)
    try:
        return await use(client)
    finally:
        await client.close()


async def patiently(settings: Settings, use: Any) -> Any:
    """As `with_worker`. Tells the user of settings without effect, and of a worker that takes a while."""
    from lsp_server.config.settings import without_effect

    for line in without_effect(settings):
        click.echo(line, err=True)

    def note() -> None:
        click.echo("waiting for the worker... (the first call loads the model, which then stays)", err=True)

    timer = asyncio.get_running_loop().call_later(NOTE_AFTER_S, note)
    try:
        return await with_worker(settings, use)
    finally:
        timer.cancel()


def read(file: Path, language: str | None = None) -> tuple[Snapshot, bytes]:
    """A file as a snapshot, and its bytes. `language`: its id, if its name does not tell. Raises WrongUse."""
    from lsp_server.text.document import Snapshot
    from lsp_server.text.languages import id_of_path

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
    return Snapshot(file.resolve().as_uri(), 0, language or id_of_path(file), text), data


def counted(count: int, noun: str) -> str:
    """Such as "1 step" and "2 steps"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def lines_of(text: str) -> str:
    """How many lines a text has, in words."""
    from lsp_server.text.positions import to_position

    return counted(to_position(text, len(text), "utf-32")[0] + 1, "line")


def range_of(snapshot: Snapshot, span: Span) -> dict[str, dict[str, int]]:
    """A span for JSON: lines and columns, counted in characters from 1."""
    from lsp_server.text.positions import to_position

    places = (to_position(snapshot.text, at, "utf-32") for at in (span.start, span.end))
    start, end = ({"line": line + 1, "column": column + 1} for line, column in places)
    return {"start": start, "end": end}
