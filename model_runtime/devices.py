"""`python -m model_runtime.devices`: what torch can compute on here, as JSON, for `infill-ls doctor`.

`devices` maps a name to its free memory in bytes (null where that is the machine's own); the one that
`auto` means comes first. Whatever goes wrong is `error`.
"""

from __future__ import annotations

import json

from model_runtime import threads
from model_runtime.faults import one_line


def report() -> dict[str, object]:
    try:
        import torch

        devices: dict[str, int | None] = {}
        for number in range(torch.cuda.device_count()):
            devices[f"cuda:{number}"] = torch.cuda.mem_get_info(number)[0]
        devices["cpu"] = None
        if torch.backends.mps.is_available():
            devices["mps"] = None
        for number in range(torch.xpu.device_count()):
            devices[f"xpu:{number}"] = None
    except Exception as error:  # a broken installation breaks in many ways
        return {"error": one_line(error)}
    return {"torch": torch.__version__, "devices": devices}


if __name__ == "__main__":
    threads.configure()
    print(json.dumps(report()))
