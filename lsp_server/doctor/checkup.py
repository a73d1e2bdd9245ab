"""All checks in their order: gathers what they look at, and says what they found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsp_server.config.settings import Settings
from lsp_server.config.workspace_trust import is_path
from lsp_server.doctor import editors, machine, servers, weights
from lsp_server.doctor.finding import Finding, ok, problem, warning
from lsp_server.text import languages
from lsp_server.worker_client.client import Worker
from model_runtime import protocol

ROOT = Path(protocol.__file__).resolve().parent.parent
REPORT_S = 90.0  # torch may have to come from a cold disk


async def examine(settings: Settings, worker: Worker) -> list[Finding]:
    findings = list(_still(settings, worker))
    findings.append(status(await worker.status()))
    findings += editors.check(Path.home())
    return findings


def _still(settings: Settings, worker: Worker) -> Iterator[Finding]:
    """Everything that does not need a worker."""
    import psutil  # only here: it takes time to load

    if settings.backend == "local":
        yield from _model_here(settings, psutil.virtual_memory().available)
    else:
        yield from servers.check(settings, served(settings), os.environ)
    yield machine.grammars(languages.LANGUAGES)
    yield _socket(settings)
    yield machine.log(worker.log_path, _free(worker.log_path.parent))
    yield from machine.network(os.environ)


def _model_here(settings: Settings, available: int) -> Iterator[Finding]:
    found_here = devices(_absolute(settings.model))
    told = found_here.get("model", {})
    yield weights.check(settings.model, told)
    needs = {} if settings.model == "embedded" else told.get("needs", {})
    need = needs.get(settings.quantization, weights.memory_need(told.get("parameters", 0), settings.device))
    yield machine.memory(available, need)
    yield machine.device(settings.device, found_here, need)
    if needs:
        yield machine.fits(found_here.get("devices", {}), available, needs)


def status(answer: protocol.Status | protocol.Refused) -> Finding:
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
    """What torch finds, and what the model is and needs."""
    return _told("model_runtime.loading.devices", *([model] if model else []))


def _absolute(model: str) -> str:
    """As seen from any folder."""
    return str(Path(model).expanduser().absolute()) if is_path(model) or Path(model).is_dir() else model


def served(settings: Settings) -> dict[str, Any]:
    """What the servers say of themselves. The key goes there through the environment."""
    choice = settings.choice
    options = {"model": _absolute(choice.model), "backend": choice.backend, "url": choice.url}
    return _told("model_runtime.remote.check", *(f"--{name}={value}" for name, value in options.items()))


def _told(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of the worker prints, run in a process of its own: this one never loads torch."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=REPORT_S)
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
