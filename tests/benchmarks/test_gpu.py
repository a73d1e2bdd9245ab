"""benchmarks/gpu.py, which runs on lent machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_gpu_script_runs_at_toy_size_with_torch_alone(tmp_path: Path) -> None:
    """A lent GPU machine has torch and transformers, and not the server's dependencies."""
    script = ROOT / "benchmarks" / "gpu.py"
    code = f"""
import sys, runpy
sys.modules.update(msgspec=None, platformdirs=None, pygls=None)
found = runpy.run_path({str(script)!r})
sys.argv = ["gpu.py", "--toy", "--steps", "1", "--kinds", "none", "int4", "--out", {str(tmp_path)!r}]
sys.exit(found["main"]())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["failed"] == {}
    assert result["fill"]["forwards"] == 8
    assert result["generate"]["tokens_per_s"] > 0
    assert result["int4"]["failed"] == {}
    assert result["int4"]["weights_bytes"] < 0.6 * result["weights_bytes"]
    users = {one["batch"]: one for one in result["canvas"]}
    assert list(users) == [1, 8]
    for count, one in users.items():
        assert abs(one["tokens_per_s_and_user"] - one["tokens_per_s"] / count) <= 1
    assert (tmp_path / "gpu.png").read_bytes().startswith(PNG)
