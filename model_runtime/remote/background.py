"""An event loop in a thread of its own, so that the engine's thread can look around while requests run.

The thread ends when the object is collected. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

BEAT_S = 0.01  # how often a caller that waits is asked whether to go on
_Result = TypeVar("_Result")


class Background:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=(self._loop,), name="http", daemon=True).start()
        weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    def start(self, work: Coroutine[Any, Any, _Result]) -> concurrent.futures.Future[_Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for the result. The work must have a time limit of its own."""
        return self.start(work).result()

    def awaited(self, work: Coroutine[Any, Any, _Result]) -> Generator[None, Any, _Result]:
        """Yields every BEAT_S until the work is done, then returns its result. Closing cancels the work."""
        future = self.start(work)
        try:
            while True:
                done, _ = concurrent.futures.wait([future], BEAT_S)
                if done:
                    return future.result()
                yield
        finally:
            future.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Until stopped. Work that still runs then is cancelled, which closes its connections."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
