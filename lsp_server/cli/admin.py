"""The commands that take no file to edit: worker, models, doctor, bench and eval.

Those that load torch or talk to the hub run in a process of their own: this one must stay light.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from lsp_server import child_process
from lsp_server.cli.options import Chosen, chosen, counted, json_option, resolved, with_worker

if TYPE_CHECKING:
    from lsp_server.worker_client.client import Worker
    from model_runtime.protocol import Refused, Status

START_TIMEOUT_S = 300.0  # after which `worker start` reports a model as still loading
# The parameters of `bench` and `eval` that are passed on: values; files and folders, with their options.
_VALUES = ("model", "device", "backend", "backend_url", "repeat", "random_weights")
_VALUES += ("limit", "seed", "threshold", "split", "language")
_FILES = {"json_file": "json", "chart": "chart", "fim": "fim"}


@click.group()
def worker() -> None:
    """The resident worker process, which holds the model."""


@worker.command()
@chosen
@json_option
def status(choice: Chosen, as_json: bool) -> None:
    """Say how the worker is doing; starts none."""
    answer = asyncio.run(with_worker(resolved(choice), lambda it: it.status()))
    _report(answer, as_json)


@worker.command()
@chosen
@json_option
def start(choice: Chosen, as_json: bool) -> None:
    """Start the worker, and wait until its model is loaded. One that runs stays."""
    answer = asyncio.run(with_worker(resolved(choice), _start))
    _report(answer, as_json)


@worker.command()
@chosen
@json_option
def stop(choice: Chosen, as_json: bool) -> None:
    """Stop the worker, for all its clients."""
    stopped = asyncio.run(with_worker(resolved(choice), lambda it: it.stop()))
    if as_json:
        click.echo(json.dumps({"stopped": stopped}))
    else:
        click.echo("the worker has stopped" if stopped else "no worker was running")


@click.group()
def models() -> None:
    """List checkpoints, fetch one, write one for other programs."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List known checkpoints, and which are on this machine. With size, memory and licence."""
    _run("model_runtime.models", "list", *(["--json"] if as_json else []))


@models.command()
@click.argument("id")
def download(id: str) -> None:
    """Fetch a checkpoint from the Hugging Face hub. Again, to go on where it stopped."""
    _run("model_runtime.models", "download", id)


@models.command()
@click.argument("folder")
@click.option("--for", "form", type=click.Choice(["vllm", "hf"]), required=True, help="Who is to load it.")
@click.option("--model", default="embedded", help="Name, id or folder; embedded if not given.")
@click.option("--adapter", default="", help="Folder of a LoRA adapter, to be merged.")
def export(folder: str, form: str, model: str, adapter: str) -> None:
    """Write a checkpoint as other programs load it. They are vLLM and transformers (hf); FOLDER is made."""
    chosen = ["--for", form, "--model", _path(model), "--adapter", _path(adapter)]
    _run("model_runtime.models", "export", str(Path(folder).absolute()), *chosen)


def _path(name: str) -> str:
    """As somebody in a shell means it: the process that gets it runs in another folder."""
    return str(Path(name).absolute()) if name and Path(name).is_dir() else name


@click.command()
@chosen
@json_option
def doctor(choice: Chosen, as_json: bool) -> None:
    """Look for what could be in the way, and say what to do about it."""
    from dataclasses import asdict

    from lsp_server.doctor.checkup import examine

    settings = resolved(choice)
    findings = asyncio.run(with_worker(settings, lambda it: examine(settings, it)))
    healthy = all(finding.level != "problem" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            click.echo(f"{finding.level:<8} {finding.name}: {finding.message}")
            if finding.remedy:
                click.echo(f"{'':8} -> {finding.remedy}")
    sys.exit(0 if healthy else 1)


@click.command()
@click.option("--quick", is_flag=True, help="One setting, within 45 s; no torch.compile.")
@click.option("--model", help="embedded (the default) or a folder.")
@click.option("--device", help="auto, cpu, cuda, cuda:N, xpu or mps.")
@click.option("--repeat", metavar="N", help="Rounds per setting, or steps per shape.")
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
@click.option("--chart", metavar="FILE", help="Draw them there, as a PNG.")
@click.option("--random-weights", metavar="26b|tiny", help="Time denoise steps of that geometry instead.")
def bench(quick: bool, **options: str | None) -> None:
    """Time this engine beside transformers' generate. Both get the same weights and holes."""
    command = child_process.command(
        "model_runtime.bench", *(["--quick"] if quick else []), *_passed_on(options)
    )
    run = subprocess.run(command, cwd=child_process.ROOT, env=child_process.environment())
    sys.exit(run.returncode)


@click.command("eval")
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--model", help="embedded (the default) or a folder.")
@click.option("--device", help="auto, cpu, cuda, cuda:N, xpu or mps.")
@click.option("--backend", help="local (the default), vllm or openai.")
@click.option("--backend-url", metavar="URL,...", help="Where the backend's servers are.")
@click.option("--limit", metavar="N", help="At most N places of each kind.")
@click.option("--seed", metavar="N", help="Which places --limit draws.")
@click.option("--threshold", metavar="SHARE", help="What is shown (default: as infill.confidenceThreshold).")
@click.option("--calibrate", is_flag=True, help="Fit the model's confidence to DATA, for this machine.")
@click.option("--only", multiple=True, metavar="VARIANT", help="This contender; may be repeated.")
@click.option("--split", metavar="test|dev", help="Of a folder's projects (default: test).")
@click.option("--language", metavar="ID", help="Of a folder's projects (default: python).")
@click.option("--ablation", is_flag=True, help="What ships, and without each of its parts.")
@click.option("--readme", is_flag=True, help="Print one short table.")
@click.option("--next-edits", is_flag=True, help="DATA are edits of `benchmarks.edit_chains`; no model.")
@click.option("--fim", metavar="FOLDER", help="A model trained with --objective fim, to compare with.")
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
@click.option("--chart", metavar="FILE", help="Draw them there, as a PNG.")
def evaluate(
    data: tuple[str, ...],
    only: tuple[str, ...],
    calibrate: bool,
    ablation: bool,
    readme: bool,
    next_edits: bool,
    **options: str | None,
) -> None:
    """Measure how good the suggestions are. DATA is files of holes whose text is known, or a folder of whole
    projects that `python -m benchmarks.projects` has made."""
    flags = {"--calibrate": calibrate, "--ablation": ablation, "--readme": readme}
    flags |= {"--next-edits": next_edits}
    chosen = [*(f"--only={name}" for name in only), *(flag for flag, given in flags.items() if given)]
    files = [str(_absolute(file)) for file in data]
    _run("evaluation", *chosen, *_passed_on(options), "--", *files)


def _run(module: str, *arguments: str) -> NoReturn:
    """Run a module to its end, and exit as it does. Ctrl-C reaches it too, and it may have something to say
    before it ends."""
    command = child_process.command(module, *arguments)
    process = subprocess.Popen(command, cwd=child_process.ROOT, env=child_process.environment())
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue


def _passed_on(options: Mapping[str, str | None]) -> Iterator[str]:
    """The options that were given, for a process in another folder: paths are absolute."""
    for name in _VALUES:
        if (value := options.get(name)) is not None:
            is_path = name == "model" and value.startswith((".", "~"))
            yield f"--{name.replace('_', '-')}={_absolute(value) if is_path else value}"
    for name, option in _FILES.items():
        if (value := options.get(name)) is not None:
            yield f"--{option}={_absolute(value)}"


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


async def _start(client: Worker) -> Status | Refused:
    """Ask until the model is loaded or cannot be: the worker sends no notice of it."""
    from model_runtime.protocol import Refused

    await client.prepare()
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while not isinstance(answer := await client.status(), Refused) and answer.state == "loading":
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.2)
    return answer


def _report(answer: Status | Refused, as_json: bool) -> None:
    """Print the status. Exits with 1 unless there is a worker that serves or is about to."""
    import msgspec

    from model_runtime.protocol import Refused

    if isinstance(answer, Refused):
        if as_json:
            click.echo(json.dumps({"state": "stopped", "message": answer.message}))
        click.echo(f"{answer.message}; `infill-ls worker start` starts one", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(answer)))
    else:
        click.echo("\n".join(_lines(answer)))
    if answer.state == "failed":
        click.echo(answer.message, err=True)
        sys.exit(1)


def _lines(status: Status) -> Iterator[str]:
    """The status as lines for a person to read."""
    gpu = f", {status.device_bytes / 2**20:.0f} MiB on the GPU" if status.device_bytes else ""
    up, memory = _duration(status.uptime_s), status.memory_bytes / 2**20
    computes = f"{status.device} in {status.dtype}" if status.dtype else status.device
    yield f"{status.state}: {status.model} on {computes}, pid {status.pid}, up {up}, {memory:.0f} MiB{gpu}"
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(status.refused.items()))
    asked = f"{counted(status.requests, 'request')}, {status.served} served"
    asked += f", refused: {refused}" if refused else ""
    yield f"{counted(status.clients, 'client')}, {status.queued} queued, {asked}"
    for url, state in status.servers.items():
        yield f"{url}: {state.removeprefix(url + ' ')}"
    if status.calibrated == "none":
        yield "the confidence of this model is not calibrated: `infill-ls eval --calibrate` does it"
    if status.shown:
        yield f"{counted(status.shown, 'suggestion')} shown, {status.accepted} accepted"
    if status.p50_ms is not None and status.p90_ms is not None and status.p99_ms is not None:
        yield f"{'ms':>10} {'p50':>8} {'p90':>8} {'p99':>8}"
        yield f"{'total':>10} {status.p50_ms:8.1f} {status.p90_ms:8.1f} {status.p99_ms:8.1f}"
        for name, part in status.parts.items():
            yield f"{name:>10} {part.p50:8.1f} {part.p90:8.1f} {part.p99:8.1f}"


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds % 60:.0f} s"
