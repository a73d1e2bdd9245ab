"""Whether torch.compile is at work: that may take minutes, and is no hang. Loads no torch before `follow`."""

from __future__ import annotations

import time
from typing import Any


class Compilation:
    """Written by the thread that compiles, read by any other."""

    def __init__(self) -> None:
        self.running = False
        self.ended = 0.0  # when the last one did, by time.monotonic

    def began(self, _: Any = None) -> None:
        self.running = True

    def finished(self, _: Any = None) -> None:
        self.ended = time.monotonic()
        self.running = False


CURRENT = Compilation()


def follow() -> None:
    """Have torch tell `CURRENT` from now on."""
    from torch._dynamo.callback import callback_handler

    if CURRENT.began not in callback_handler.start_callbacks:
        callback_handler.register_start_callback(CURRENT.began)
        callback_handler.register_end_callback(CURRENT.finished)
