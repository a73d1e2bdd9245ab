"""The command `infill-ls`. Exit status: 0 done, 1 nothing to offer, 2 wrong use.

What a program may read goes to standard output, everything else to standard error. Each command imports what
it needs when it runs, so that `serve`, which editors start, starts fast.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsp_server.cli.options import (
    Chosen,
    WrongUse,
    chosen,
    counted,
    json_option,
    language_option,
    lines_of,
    patiently,
    range_of,
    read,
    resolved,
)
from lsp_server.cli.play import play

from . import admin, edit_commands

if TYPE_CHECKING:
    from lsp_server.text.document import Edit, Snapshot


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=lambda *args: _version(args[2])
)
def main() -> None:
    """Code infilling with a text-diffusion model: a language server and its command line."""


@main.command()
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="Write the log there as well.")
def serve(log_file: Path | None) -> None:
    """Run the language server on standard input and output. Editors start this."""
    from lsp_server.handlers import server
    from lsp_server.session import logs
    from lsp_server.session.session import Session

    try:
        logs.configure(log_file)
    except OSError as error:
        raise WrongUse(f"--log {log_file}: {error.strerror}; name a file that can be written") from None
    server.serve(server.build(Session()))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--at", required=True, metavar="LINE:COL", help="The cursor: line and character, from 1.")
@click.option("--deadline-ms", type=click.IntRange(min=1), help="Take the best the model has by then.")
@language_option
@chosen
@json_option
def complete(
    file: Path, at: str, deadline_ms: int | None, language: str | None, choice: Chosen, as_json: bool
) -> None:
    """Print what an editor would offer at a place in FILE."""
    from lsp_server.infilling.pipeline import suggest
    from lsp_server.text.document import Refusal
    from lsp_server.text.syntax import Parses

    snapshot = read(file, language)[0]
    offset = _offset(snapshot.text, at, file)
    # The user has asked, so the answer is printed however unsure it is.
    on = {"languages": (language,)} if language else {}
    settings = resolved(choice, deadline_ms=deadline_ms, confidence_threshold=0.0, **on)
    outcome = asyncio.run(patiently(settings, lambda it: suggest(snapshot, offset, it, settings, Parses())))
    if isinstance(outcome, Refusal):
        if as_json:
            click.echo(json.dumps({"text": None, "reason": outcome.reason, "message": outcome.message}))
        remedy = f"; --language {snapshot.language} asks anyway" if outcome.reason == "language" else ""
        click.echo(f"nothing to suggest: {outcome.message} ({outcome.reason}){remedy}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(snapshot, outcome), ensure_ascii=False))
        return
    click.echo(outcome.text)
    click.echo(_in_context(snapshot, outcome), err=True)
    found = f", from {' and '.join(outcome.sources)}" if outcome.sources else ""
    took = f"{counted(outcome.steps, 'step')}, {outcome.ms:.0f} ms"
    click.echo(f"confidence {outcome.confidence:.2f}, {took}{found}", err=True)


main.add_command(edit_commands.fill)
main.add_command(edit_commands.rewrite)
main.add_command(admin.worker)
main.add_command(admin.models)
main.add_command(admin.bench)
main.add_command(admin.doctor)
main.add_command(admin.evaluate)
main.add_command(play)


def _version(wanted: bool) -> None:
    if wanted:
        from lsp_server import package_version

        click.echo(f"infill-ls {package_version()}")
        sys.exit(0)


def _offset(text: str, at: str, file: Path) -> int:
    from lsp_server.text.positions import line_span

    match = re.fullmatch(r"(\d+):(\d+)", at, re.ASCII)
    if not match or len(at) > 20 or 0 in (line := int(match[1]), column := int(match[2])):
        raise WrongUse(f"--at takes LINE:COL, both counted from 1, for example 12:5, not {at!r}")
    span = line_span(text, line - 1)
    if span is None:
        raise WrongUse(f"--at {at}: {file} has {lines_of(text)}")
    if column > (last := span.end - span.start + 1):
        raise WrongUse(f"--at {at}: line {line} of {file} ends at column {last}")
    return span.start + column - 1


def _as_json(snapshot: Snapshot, edit: Edit) -> dict[str, Any]:
    return {
        "text": edit.text,
        "range": range_of(snapshot, edit.span),
        "confidence": edit.confidence,
        "steps": edit.steps,
        "ms": round(edit.ms, 1),
        "sources": edit.sources,
        "version": edit.version,
    }


def _in_context(snapshot: Snapshot, edit: Edit, around: int = 2) -> str:
    """The edited lines, marked, with `around` lines before and after; all numbered."""
    from lsp_server.text.positions import to_position

    text = snapshot.text[: edit.span.start] + edit.text + snapshot.text[edit.span.end :]
    first, last = (
        to_position(text, offset, "utf-32")[0]
        for offset in (edit.span.start, edit.span.start + len(edit.text))
    )
    lines = re.split(r"\r\n|\n|\r", text)
    shown = range(max(0, first - around), min(len(lines), last + around + 1))
    return "\n".join(f"{'>' if first <= n <= last else ' '} {n + 1:4} | {lines[n]}" for n in shown)
