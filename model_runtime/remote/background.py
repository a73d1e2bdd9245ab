"""An event loop in a thread of its own: what the engine's thread has running while it goes on.

The thread ends with the object. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

BEAT_S = 0.01  # how often whoever waits is asked whether to go on
_Result = TypeVar("_Result")


class Background:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=(self._loop,), name="http", daemon=True).start()
        weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    def start(self, work: Coroutine[Any, Any, _Result]) -> concurrent.futures.Future[_Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for it, whatever happens; it has to have a limit of its own."""
        return self.start(work).result()

    def awaited(self, work: Coroutine[Any, Any, _Result]) -> Generator[None, Any, _Result]:
        """Yields while it is not done, so that the caller may look around; closing cancels the work."""
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
    """Until stopped; what still runs then is cancelled, which closes its connections."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
