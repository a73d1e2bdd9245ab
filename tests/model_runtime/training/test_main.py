"""The command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from model_runtime.training import corpus
from tests.support import tiny


def test_the_command_runs_where_only_torch_and_transformers_are(tmp_path: Path) -> None:
    """A bare GPU machine has no msgspec and no platformdirs; a slice there must still train and resume."""
    documents = [corpus.Document(f"p{i}", "MIT", "a.py", tiny.SOURCE) for i in range(4)]
    corpus.save(tmp_path / "corpus.jsonl", documents, documents[:1])
    arguments = [
        "--folder",
        str(tmp_path),
        "--size",
        "tiny",
        "--rows",
        "1",
        "--no-compile",
        "--device",
        "cpu",
    ]
    code = f"""
import runpy, sys, os
os.environ["MALLOC_TOP_PAD_"] = ""
sys.modules.update(msgspec=None, platformdirs=None)
sys.argv = ["training", *{arguments!r}, "--minutes", "0.03", "--causal-steps", "2"]
runpy.run_module("model_runtime.training", run_name="__main__")
"""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr
    assert "resuming" in done.stdout
    assert (tmp_path / "checkpoint.pt").exists()
