"""The commands that change a file: `infill-ls fill` and `infill-ls rewrite`. They use the editor's actions.

They print a diff; the file is written only with `--apply`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsp_server.cli.options import (
    NOTE_AFTER_S,
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

if TYPE_CHECKING:
    from lsp_server.actions.actions import Action, OnOutcomes
    from lsp_server.infilling.single_hole import Filler
    from lsp_server.text.document import Edit, Refusal, Snapshot

apply_option = click.option("--apply", "write", is_flag=True, help="Write the file, print no diff.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what the model is not sure of.")
@apply_option
@language_option
@chosen
@json_option
def fill(
    file: Path, everything: bool, write: bool, language: str | None, choice: Chosen, as_json: bool
) -> None:
    """Fill every hole in FILE. Holes are `<fill>` markers, and bodies that only hold a place. One is left
    alone if the model is less sure than infill.confidenceThreshold (0.35)."""
    from lsp_server.actions.actions import FILL_ALL, Action
    from lsp_server.text.document import Span

    snapshot, data = read(file, language)
    action = Action(FILL_ALL, "fill", Span(0, 0))
    holes: list[Edit | Refusal] = []
    outcome = asyncio.run(_carry_out(action, snapshot, choice, everything, holes.extend))
    _report(file, snapshot, data, outcome, write, as_json, holes)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--lines", required=True, metavar="A-B", help="First and last line, from 1.")
@click.option("--instruction", required=True, metavar="TEXT", help="What is to be changed, in words.")
@click.option("--think", is_flag=True, help="Let the model think before it answers.")
@click.option("--image", type=click.Path(path_type=Path), help="A picture of what is wanted.")
@apply_option
@language_option
@chosen
@json_option
def rewrite(
    file: Path,
    lines: str,
    instruction: str,
    think: bool,
    image: Path | None,
    write: bool,
    language: str | None,
    choice: Chosen,
    as_json: bool,
) -> None:
    """Rewrite lines of FILE, if the model follows instructions."""
    from lsp_server.actions.actions import INSTRUCTION, Action

    snapshot, data = read(file, language)
    span = _lines(snapshot.text, lines, file)
    action = Action(
        INSTRUCTION, "rewrite", span, instruction, thinking=think, image=_image(image) if image else b""
    )
    outcome = asyncio.run(_carry_out(action, snapshot, choice))
    _report(file, snapshot, data, outcome, write, as_json)


async def _carry_out(
    action: Action,
    snapshot: Snapshot,
    choice: Chosen,
    everything: bool = True,
    on_outcomes: OnOutcomes | None = None,
) -> tuple[Edit, ...] | Refusal:
    from lsp_server.actions.actions import carry_out
    from lsp_server.text.syntax import Parses

    settings = resolved(choice, languages=(snapshot.language,))
    started = time.monotonic()

    def step(message: str, percentage: int | None) -> None:
        if percentage == 100 or (percentage is not None and time.monotonic() - started > NOTE_AFTER_S):
            click.echo(message, err=True)

    threshold = 0.0 if everything else settings.confidence_threshold

    def use(worker: Filler) -> Awaitable[tuple[Edit, ...] | Refusal]:
        more = {"threshold": threshold, "on_outcomes": on_outcomes}
        return carry_out(action, snapshot, worker, settings, Parses(), step, **more)

    return await patiently(settings, use)


def _report(
    file: Path,
    snapshot: Snapshot,
    data: bytes,
    outcome: tuple[Edit, ...] | Refusal,
    write: bool,
    as_json: bool,
    holes: Sequence[Edit | Refusal] = (),
) -> None:
    """`holes`: what became of each hole, where there are several."""
    from lsp_server.text.document import Edit, Refusal

    from . import patch

    left = [each for each in holes if isinstance(each, Refusal)]
    left_alone = [{"reason": each.reason, "message": each.message} for each in left]
    if isinstance(outcome, Refusal):
        _tell_left_alone(left)
        if as_json:
            told = {"edits": [], "diff": "", "applied": False, "left_alone": left_alone}
            click.echo(json.dumps({**told, "reason": outcome.reason, "message": outcome.message}))
        click.echo(f"nothing was changed: {outcome.message} ({outcome.reason})", err=True)
        sys.exit(1)
    new = patch.applied(snapshot.text, outcome)
    diff = patch.unified(file.as_posix().lstrip("/"), snapshot.text, new)
    if write:
        try:
            patch.write(file, data, new)
        except (OSError, patch.FileChanged) as error:
            raise WrongUse(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    whole = [each for each in holes if isinstance(each, Edit)]
    if as_json:
        edits = _as_json(snapshot, whole or outcome)
        told = {"edits": edits, "diff": diff, "applied": write, "left_alone": left_alone}
        click.echo(json.dumps(told, ensure_ascii=False))
    elif not write:
        sys.stdout.buffer.write(diff.encode("utf-8", "replace"))  # as bytes: text output may change line ends
        sys.stdout.buffer.flush()
    for each in whole:
        line = range_of(snapshot, each.span)["start"]["line"]
        click.echo(f"{file}:{line}: {each.confidence:.0%} sure", err=True)
    _tell_left_alone(left)
    click.echo(counted(len(whole or outcome), "change"), err=True)


def _tell_left_alone(refusals: Sequence[Refusal]) -> None:
    """One line for each reason, with the number of holes."""
    for reason, count in Counter(each.reason for each in refusals).items():
        message = next(each.message for each in refusals if each.reason == reason)
        if reason == "confidence":
            message = "the model is less sure than infill.confidenceThreshold; --all takes them in"
        click.echo(f"{counted(count, 'hole')} left alone: {message} ({reason})", err=True)


def _as_json(snapshot: Snapshot, edits: Sequence[Edit]) -> list[dict[str, Any]]:
    return [
        {"text": edit.text, "range": range_of(snapshot, edit.span), "confidence": edit.confidence}
        for edit in edits
    ]


def _image(path: Path) -> bytes:
    from lsp_server.actions.images import ImageError, read_file

    try:
        return read_file(path)
    except ImageError as error:
        raise WrongUse(f"--image {path}: {error}") from None


def _lines(text: str, lines: str, file: Path) -> Any:
    from lsp_server.text.document import Span
    from lsp_server.text.positions import line_span

    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", lines, re.ASCII)
    if not match or not 0 < (first := int(match[1])) <= (last := int(match[2] or match[1])):
        raise WrongUse(f"--lines takes A-B, both counted from 1, for example 12-20, not {lines!r}")
    start, end = line_span(text, first - 1), line_span(text, last - 1)
    if start is None or end is None:
        raise WrongUse(f"--lines {lines}: {file} has {lines_of(text)}")
    return Span(start.start, end.end)
