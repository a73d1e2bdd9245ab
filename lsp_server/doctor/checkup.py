"""All checks in their order: gathers the facts and has the other modules judge them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lsp_server import child_process
from lsp_server.config.file_filter import Ignored, Rules
from lsp_server.config.settings import Settings
from lsp_server.config.workspace_trust import is_path
from lsp_server.context.index_process import Look
from lsp_server.context.outline import Outline
from lsp_server.doctor import editors, machine, servers, weights
from lsp_server.doctor.finding import Finding, ok, problem, warning
from lsp_server.text import languages
from lsp_server.worker_client.client import Worker
from model_runtime import protocol

REPORT_S = 90.0  # for a child process to report; loading torch from a cold disk takes long


async def examine(settings: Settings, worker: Worker) -> list[Finding]:
    """The findings of every check, in the order to print them. Starts no worker."""
    findings = list(_without_worker(settings, worker))
    findings.append(status(await worker.status()))
    findings += editors.check(Path.home())
    return findings


def _without_worker(settings: Settings, worker: Worker) -> Iterator[Finding]:
    """The checks that need no running worker."""
    import psutil  # only here: it takes time to load

    if settings.backend == "local":
        yield from _model_here(settings, psutil.virtual_memory().available)
    else:
        yield from servers.check(settings, server_report(settings), os.environ)
    yield machine.grammars(languages.LANGUAGES)
    yield _socket(settings)
    yield machine.log(worker.log_path, _free(worker.log_path.parent))
    yield machine.reader(*reader_report(Path.cwd()))
    yield from machine.network(os.environ)


def _model_here(settings: Settings, available: int) -> Iterator[Finding]:
    report = devices(_absolute(settings.model))
    model = report.get("model", {})
    yield weights.check(settings.model, model)
    needs = {} if settings.model == "embedded" else model.get("needs", {})
    need = needs.get(settings.quantization, weights.memory_need(model.get("parameters", 0), settings.device))
    yield machine.memory(available, need)
    yield machine.device(settings.device, report, need)
    if needs:
        yield machine.fits(report.get("devices", {}), available, needs)


def status(answer: protocol.Status | protocol.Refused) -> Finding:
    """The worker, judged by its answer to a status request."""
    if isinstance(answer, protocol.Refused):
        if answer.message == "no worker is running":
            return ok("worker", "none is running; the first request starts one")
        return problem(
            "worker", answer.message, "run `infill-ls worker stop`; the next request starts another"
        )
    said = f"{answer.state}, pid {answer.pid}, {answer.memory_bytes / 2**20:.0f} MiB"
    if answer.state == "failed":
        return problem("worker", f"{said}: {answer.message}", "put that right, then `infill-ls worker stop`")
    lost = sum(answer.refused.get(reason, 0) for reason in ("failed", "busy", "deadline", "loading"))
    if answer.requests > 20 and lost > answer.requests / 2:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(answer.refused.items()))
        remedy = "a smaller model or a larger infill.deadlineMs; the worker's log says more"
        return warning("worker", f"{said}: most requests get nothing ({reasons})", remedy)
    return ok("worker", said)


def devices(model: str = "") -> dict[str, Any]:
    """The devices that torch finds, and what the model is and needs: see `model_runtime.loading.devices`."""
    return _report("model_runtime.loading.devices", *([model] if model else []))


def _absolute(model: str) -> str:
    """The model's path as it holds for a process in another folder; a name stays as it is."""
    return str(Path(model).expanduser().absolute()) if is_path(model) or Path(model).is_dir() else model


def server_report(settings: Settings) -> dict[str, Any]:
    """The report on the backend's servers: see `model_runtime.remote.check`. The API key goes there in the
    environment."""
    choice = settings.choice
    options = {"model": _absolute(choice.model), "backend": choice.backend, "url": choice.url}
    return _report("model_runtime.remote.check", *(f"--{name}={value}" for name, value in options.items()))


def reader_report(folder: Path) -> tuple[str, list[str]]:
    """Why the process that reads other files does not answer, or empty; and what cannot be understood of the
    `.gitignore` files that hold in a folder."""
    asked = msgspec.json.encode(Look(Rules(), "text", "", "python", "x = 1\n")) + b"\n"
    ignored = Ignored()
    ignored.file(folder / "x.py")
    try:
        run = subprocess.run(
            child_process.command("lsp_server.context.index_process"),
            cwd=child_process.ROOT,
            env=child_process.environment(),
            input=asked,
            capture_output=True,
            timeout=REPORT_S,
        )
    except subprocess.TimeoutExpired:
        return f"it takes more than {REPORT_S:.0f} s", ignored.faults
    except OSError as error:
        return str(error), ignored.faults
    try:
        msgspec.json.decode(run.stdout, type=Outline)
    except msgspec.MsgspecError:
        lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {run.returncode}", ignored.faults
    return "", ignored.faults


def _report(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON that a module of the worker prints, or {"error": one line}. It runs in a process of its own:
    this one never loads torch."""
    try:
        run = subprocess.run(
            child_process.command(module, *arguments),
            cwd=child_process.ROOT,
            env=child_process.environment(),
            capture_output=True,
            text=True,
            timeout=REPORT_S,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"it takes more than {REPORT_S:.0f} s"}
    except OSError as error:
        return {"error": str(error)}
    try:
        return json.loads(run.stdout)
    except ValueError:
        lines = run.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"exit status {run.returncode}"}


def _socket(settings: Settings) -> Finding:
    try:
        path = protocol.endpoint_path(settings.choice)
    except OSError as error:
        return problem("socket", str(error), "set INFILL_LS_RUNTIME_DIR to a folder of your own")
    return machine.runtime_folder(path.parent, path, longest=protocol.MAX_SOCKET_PATH)


def _free(folder: Path) -> int:
    """Bytes free on the disk of the nearest folder that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
