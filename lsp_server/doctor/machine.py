"""Checks of the machine: memory, devices, grammars, folders, disk, and what a download would meet."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lsp_server.doctor.finding import Finding, ok, problem, warning
from lsp_server.text.languages import Language
from lsp_server.text.syntax import parse

RUNTIME_BYTES = 400 * 2**20  # torch and all else that is not weights
LOG_BYTES = 20 * 2**20  # free space below which there is soon no room for the log
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def memory(available: int, need: int) -> Finding:
    """Whether the model fits. Both in bytes; `need` is that of the weights alone."""
    wanted = need + RUNTIME_BYTES
    said = f"{available / 2**30:.1f} GiB free, the model takes about {wanted / 2**30:.1f} GiB"
    if available < wanted:
        return problem("memory", said, "close something, or choose a smaller model (infill.model)")
    if available < 2 * wanted:
        return warning("memory", said, "it fits, but leaves little for anything else")
    return ok("memory", said)


def device(wanted: str, report: Mapping[str, Any], need: int) -> Finding:
    """The device that would be used. `need`: bytes of the weights. `report` is printed by `python -m
    model_runtime.loading.devices`: `error`, or `devices`, name -> free bytes (None where unknown), and what
    that module says of the `cpu`."""
    if error := report.get("error"):
        again = "install infill-ls again in a fresh virtual environment"
        return problem("device", f"torch cannot be loaded: {error}", report.get("remedy") or again)
    devices: dict[str, int | None] = report["devices"]
    chosen = next(iter(devices)) if wanted == "auto" else wanted
    chosen = f"{chosen}:0" if chosen in ("cuda", "xpu") and chosen not in devices else chosen
    if chosen not in devices:
        there = ", ".join(devices)
        return problem("device", f"there is no {chosen}, only {there}", "set infill.device to auto")
    free = devices[chosen]
    if free is not None and free < need:
        said = f"{chosen} has {free / 2**30:.1f} GiB free, the weights take {need / 2**30:.1f} GiB"
        return problem("device", said, "free its memory, or set infill.device to cpu")
    said = f"{chosen} ({', '.join(devices)} found), torch {report.get('torch', '?')}"
    if chosen == "cpu" and (cpu := report.get("cpu")):
        said += f" with {cpu['instructions']}; there the embedded model computes in {cpu['fastest']}"
    return ok("device", said)


def fits(devices: Mapping[str, int | None], available: int, needs: Mapping[str, int]) -> Finding:
    """Which quantisations of the model fit on which device. `devices`: name -> free bytes. `needs`:
    quantisation -> bytes, with bf16 for what is not quantised; from the most exact to the smallest."""
    said, some = [], False
    for name, free in devices.items():
        room = available if free is None else free
        kinds = [
            kind for kind, need in needs.items() if need <= room and not (kind == "fp8" and free is None)
        ]
        some = some or bool(kinds)
        said.append(f"{name} ({room / 1e9:.0f} GB free): {', '.join(kinds) or 'nothing'}")
    line = f"infill.quantization that fits on {'; '.join(said)}"
    if some:
        return ok("fits", line)
    least = min(needs.values()) / 1e9
    return problem(
        "fits", line, f"the least is {least:.1f} GB: a larger GPU, or infill.backend with a server"
    )


def grammars(languages: Iterable[Language]) -> Finding:
    """Whether each grammar can be loaded and parses."""
    broken = []
    for language in languages:
        try:
            works = parse("x", language) is not None
        except Exception:  # a grammar built for another tree-sitter; whatever it is, it does not work
            works = False
        if not works:
            broken.append(language.grammar)
    if broken:
        remedy = f"pip install --force-reinstall {' '.join(name.replace('_', '-') for name in broken)}"
        return problem("grammars", f"{', '.join(broken)} cannot be loaded", remedy)
    return ok("grammars", ", ".join(sorted({language.id for language in languages})))


def runtime_folder(path: Path, socket: Path, *, longest: int) -> Finding:
    """The folder of the worker's socket, which only this user may enter. `longest`: most bytes of the
    socket's path."""
    remedy = "set INFILL_LS_RUNTIME_DIR to a folder of your own"
    try:
        found = path.lstat()
    except OSError as error:
        return problem("socket", f"{path}: {error.strerror}", remedy)
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        return problem("socket", f"{path} belongs to another user", remedy)
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
        return problem("socket", f"other users can enter {path}", f"chmod 700 {path}")
    if not os.access(path, os.W_OK):
        return problem("socket", f"{path} cannot be written to", remedy)
    if len(os.fsencode(socket)) > longest:
        return problem("socket", f"{socket} is too long for a socket", remedy)
    return ok("socket", str(socket))


def reader(error: str, skipped: Sequence[str]) -> Finding:
    """Whether other files can be read for context. `error`: why the process that reads them does not answer,
    or empty. `skipped`: what cannot be understood of the `.gitignore` files that hold here."""
    if error:
        remedy = "install infill-ls again in a fresh virtual environment; without it there are suggestions "
        return problem("context", f"other files are not read: {error}", remedy + "from the document alone")
    if skipped:
        more = f" and {len(skipped) - 1} more" if skipped[1:] else ""
        return warning("context", f"{skipped[0]}{more}", "correct the line; until then it counts for nothing")
    return ok("context", "the process that reads other files answers")


def log(path: Path, free: int) -> Finding:
    """Whether the worker can write its log, which need not exist yet. `free`: bytes on its disk."""
    folder = path.parent
    if any(each.exists() and not os.access(each, os.W_OK) for each in (folder, path)):
        return warning("log", f"{path} cannot be written to", f"chmod -R u+w {folder}")
    if free < LOG_BYTES:
        said = f"{free / 2**20:.0f} MiB free on the disk of {folder}"
        return warning("log", said, "free some space; the worker works without a log, but cannot say why")
    return ok("log", str(path))


def network(environment: Mapping[str, str]) -> list[Finding]:
    """The settings that a download would use; only `infill-ls models download` makes one."""
    findings = []
    for name in PROXIES:
        if value := environment.get(name):
            parts = urlsplit(value)
            shown = f"{name} is {parts.scheme}://{parts.hostname}"  # without what may be a password
            if parts.scheme in ("http", "https", "socks5", "socks5h") and parts.hostname:
                findings.append(ok("proxy", shown))
            else:
                remedy = f"set {name} to something like http://proxy.example.com:3128"
                findings.append(problem("proxy", f"{name} is not a URL", remedy))
    for name in AUTHORITIES:
        if value := environment.get(name):
            if os.access(value, os.R_OK):
                findings.append(ok("certificates", f"{name} is {value}"))
            else:
                remedy = f"unset {name}, or set it to a file of certificates"
                findings.append(problem("certificates", f"{name}: {value} cannot be read", remedy))
    if environment.get("HF_HUB_OFFLINE") in ("1", "true", "TRUE", "yes", "on"):
        findings.append(
            warning("network", "HF_HUB_OFFLINE is set: nothing can be downloaded", "unset HF_HUB_OFFLINE")
        )
    return findings or [ok("network", "no proxy and no certificates of your own; downloads go directly")]
