"""How starting the daemon has gone lately, and so when to try again and what to tell the user."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from model_runtime.protocol import Refused

from . import launch

BACK_OFF_S = (0.0, 1.0, 4.0, 15.0, 60.0)  # after the first, second, ... failure in a row
DOWN = 3  # after so many failures in a row the user is told


@dataclass(slots=True)
class Health:
    """When to start a daemon again: at once after its first failure, then after ever longer waits."""

    failures: int = 0  # in a row
    not_before: float = 0.0
    message: str = ""

    def failed(self, message: str) -> None:
        self.message = message
        self.failures += 1
        wait = BACK_OFF_S[min(self.failures, len(BACK_OFF_S)) - 1]
        self.not_before = asyncio.get_running_loop().time() + wait

    def worked(self) -> None:
        self.failures = 0

    def check(self) -> None:
        """Raises LaunchError while it is too early to try again."""
        if self.failures and asyncio.get_running_loop().time() < self.not_before:
            raise launch.LaunchError(self.message)

    def refusal(self, request_id: int, message: str) -> Refused:
        if self.failures < DOWN:
            return Refused(request_id, "worker-lost", message)
        remedy = f"{self.failures} failures in a row; `infill-ls doctor` may tell why"
        return Refused(request_id, "worker-down", f"{message} ({remedy})")
