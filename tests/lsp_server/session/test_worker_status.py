from __future__ import annotations

import msgspec
import pytest

from lsp_server.session.worker_status import WorkerStatus
from model_runtime.protocol import Done, Refused
from tests.support.worker_status import STATUS

DONE = Done(0, ("a",), 0.5, 1, 0, 0, 0)
LOADING = msgspec.structs.replace(STATUS, state="loading", progress=0.25)
FAILED = msgspec.structs.replace(STATUS, state="failed", message="no such model")


@pytest.mark.parametrize(
    ("events", "state", "message"),
    [
        ([], "stopped", ""),
        (["began"], "busy", ""),
        (["began", DONE], "idle", ""),
        (["began", "began", DONE], "busy", ""),
        (["began", None], "idle", ""),  # cancelled
        (["began", Refused(0, "superseded")], "idle", ""),
        (["began", Refused(0, "loading", "is being loaded")], "loading", "is being loaded"),
        (["began", Refused(0, "worker-lost", "gone")], "degraded", "gone"),
        (["began", Refused(0, "worker-down", "it fails")], "degraded", "it fails"),
        (["began", Refused(0, "failed", "NaN"), "began", DONE], "idle", ""),  # it has recovered
        ([LOADING], "loading", ""),
        ([LOADING, "began"], "loading", ""),  # it waits for the model
        ([LOADING, "began", STATUS], "busy", ""),
        ([LOADING, STATUS], "idle", ""),
        ([FAILED], "degraded", "no such model"),
        ([Refused(0, "worker-lost", "no worker is running")], "stopped", "no worker is running"),
    ],
)
def test_what_is_shown(events: list[object], state: str, message: str) -> None:
    now = WorkerStatus()
    for event in events:
        if event == "began":
            now = now.began()
        elif event is None or isinstance(event, Done) or (isinstance(event, Refused) and now.running):
            now = now.ended(event, ms=120.04)
        else:
            now = now.told(event)  # type: ignore[arg-type]
    assert (now.state, now.message) == (state, message)


def test_progress_and_latency() -> None:
    assert WorkerStatus().told(LOADING).progress == 0.25
    done = WorkerStatus().told(LOADING).began().ended(DONE, 120.04)
    assert (done.progress, done.latency) == (None, 120.0)
