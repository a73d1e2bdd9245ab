"""Whether the model can be loaded. The worker's side checks its files (`model_runtime.loading.checkpoint`);
here its report is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsp_server.doctor.finding import Finding, of_line, ok, problem


def check(name: str, report: Mapping[str, Any]) -> Finding:
    """`name`: what the user calls the model. `report`: what `python -m model_runtime.loading.devices` prints
    of it, its `problem`, or `folder`, `parameters`, `disk` (bytes) and more; empty where that failed."""
    if not report:
        return problem("model", f"{name} could not be looked at", "see what is said of the device")
    if line := report.get("problem"):
        return of_line("model", line, "copy or download the model again")
    named = "the embedded model" if name == "embedded" else report["folder"]
    size = f"{report['parameters'] / 1e6:,.1f}M parameters, {report['disk'] / 1e6:,.0f} MB on disk"
    return ok("model", f"{named}: {size}")


def memory_need(parameters: int, device: str) -> int:
    """Bytes that the weights take when loaded: 4 for each parameter on a CPU, 2 on a GPU."""
    return parameters * (2 if device.startswith(("cuda", "xpu")) else 4)
