"""The servers of a remote backend: whether they can be used, and whether text and key go there encrypted.

Their addresses come from the user's settings only. The key is never shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lsp_server.config.settings import SERVED_ADAPTER, Settings
from lsp_server.doctor.finding import Finding, of_line, ok, warning

KEY = "INFILL_LS_API_KEY"
AGAIN = "run `infill-ls doctor` again later"


def check(settings: Settings, report: Mapping[str, Any], environment: Mapping[str, str]) -> list[Finding]:
    """`report` is what `python -m model_runtime.remote.check` prints."""
    if error := report.get("error"):
        return [of_line("server", error, AGAIN), *_without_effect(settings)]
    keyed = bool(environment.get(KEY, "").strip())
    findings = [_key(keyed)]
    for url, usable, said in report["servers"]:
        findings.append(ok("server", f"{url}: {said}") if usable else of_line("server", said, AGAIN))
        if urlsplit(url).scheme == "http" and not _is_here(url):
            what = "your text and the key go" if keyed else "your text goes"
            remedy = "use https, or reach the server through a tunnel"
            findings.append(warning("server", f"{what} to {url} unencrypted", remedy))
    return [*findings, *_without_effect(settings)]


def _without_effect(settings: Settings) -> list[Finding]:
    """Settings that a server does not get: they would have to be set where it runs."""
    found = []
    if settings.device != "auto":
        said = f"infill.device {settings.device} has no effect on a server"
        found.append(warning("device", said, "unset it"))
    if settings.adapter:
        said = f"infill.adapter {settings.adapter} has no effect on a server"
        found.append(warning("adapter", said, SERVED_ADAPTER))
    return found


def _key(set_: bool) -> Finding:
    return ok("key", f"{KEY} is set" if set_ else f"{KEY} is not set, which a server without keys wants")


def _is_here(url: str) -> bool:
    """On this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
