"""The status of a worker that has served a while."""

from __future__ import annotations

from model_runtime.protocol import Percentiles, Status

STATUS = Status(
    id=0,
    pid=4711,
    state="ready",
    model="embedded",
    device="cpu",
    message="",
    progress=1.0,
    memory_bytes=200 * 2**20,
    clients=1,
    queued=0,
    served=3,
    p50_ms=120.0,
    p90_ms=200.0,
    p99_ms=300.0,
    parts={"queue": Percentiles(1.0, 2.0, 3.0)},
    requests=5,
    refused={"busy": 2},
    shown=3,
    accepted=1,
    uptime_s=3700,
    calibrated="none",
)
