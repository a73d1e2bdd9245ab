"""A real vLLM on this machine's CPU, as a process: started, asked how it is, ended with its children."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.support.servers import free_port

VARIABLE = "INFILL_LS_VLLM"  # the environment that .ci/get_vllm.sh has made
START_S = 300.0  # 40 s on two idle cores
KEYS_BYTES = 256 << 20  # of keys and values: more than any test fills
_QUIET = {
    "TRITON_INTERPRET": "1",  # see interpreted/
    "TORCHDYNAMO_DISABLE": "1",  # compiling takes longer than what it saves here
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class RealServer:
    process: subprocess.Popen[bytes]
    url: str
    log: Path
    key: str = ""

    def answers(self, path: str) -> str:
        """Raises URLError where nobody answers, or not with 200."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with urlopen(Request(self.url + path, headers=headers), timeout=30) as answer:
            return answer.read().decode()

    @property
    def healthy(self) -> bool:
        """Its engine too: /health asks that."""
        if self.process.poll() is not None:
            return False
        try:
            self.answers("/health")
        except (URLError, OSError):
            return False
        return True

    def metric(self, name: str) -> float:
        """The sum of a counter or gauge over its labels."""
        found = re.findall(rf"^vllm:{name}(?:\{{.*\}})? (\S+)$", self.answers("/metrics"), re.MULTILINE)
        assert found, f"no metric {name}"
        return sum(map(float, found))

    def kill(self) -> None:
        """The API process and its engine, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def serving(folder: Path, log: Path, *flags: str, name: str, key: str = "") -> Iterator[RealServer]:
    """`folder`: as `infill-ls models export --for vllm` writes it."""
    python, port = Path(os.environ[VARIABLE]) / "bin" / "python", free_port()
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", name, "--dtype", "float32"]
    command += ["--enforce-eager", "--kv-cache-memory-bytes", str(KEYS_BYTES), *flags]
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=log.parent,  # a folder called vllm would be found before the package
            env=env | _QUIET | ({"VLLM_API_KEY": key} if key else {}),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = RealServer(process, f"http://127.0.0.1:{port}", log, key)
    try:
        end = time.monotonic() + START_S
        while not server.healthy:
            said = log.read_text(errors="replace")[-3000:]
            assert process.poll() is None, f"vLLM ended:\n{said}"
            assert time.monotonic() < end, f"vLLM did not start:\n{said}"
            time.sleep(0.5)
        yield server
    finally:
        if process.poll() is None:
            server.kill()
