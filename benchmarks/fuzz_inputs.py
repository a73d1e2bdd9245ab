"""What drives the targets of benchmarks/fuzz.py that run in this process: one odd input after the other.

An input follows from the seed and its number alone, so that each can be tried again by itself. One that must
not have ended as it did is counted by the place where it did, and saved; the next ones go on.
"""

from __future__ import annotations

import faulthandler
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 5.0  # of processor time, for one input
HANG_S = 240.0  # after so long without an end the process ends itself and shows where it was
_SHOWN = 3  # failures of one kind that are printed and saved


class Failed(Exception):
    """What must not happen has happened."""


class TooLong(BaseException):
    """An input took too much time. No exception that the code under test may catch."""


# Tries what follows from a generator, and returns how many inputs that was. Raises anything if one of
# them has failed.
Try = Callable[[random.Random], int]


def drive(
    name: str, attempt: Try, inputs: int, seed: int, *, only: int | None = None, save: Path | None = None
) -> dict[str, Any]:
    """At least so many inputs. `only`: just the one of this number, for trying it again. `save`: a folder for
    what has failed."""
    done, number, failures, slowest, armed = 0, only or 0, Counter[str](), 0.0, 0.0
    while done < inputs:
        if time.monotonic() - armed > 10:
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            armed = time.monotonic()
        began = time.process_time()
        try:
            with _Limit():
                done += attempt(random.Random(f"{seed} {number}"))
        except (Exception, TooLong) as error:
            done += 1
            failures[kind := _kind(error)] += 1
            if failures[kind] <= _SHOWN:
                _report(f"{name} --seed {seed} --number {number}", error, save)
        slowest = max(slowest, time.process_time() - began)
        number += 1
        if only is not None:
            break
    faulthandler.cancel_dump_traceback_later()
    found = {"failures": dict(failures.most_common())} if failures else {}
    return {"inputs": done, "most_cpu_s_for_one": round(slowest, 3), **found}


class _Limit:
    """Raises Failed where what is inside takes too much of the processor. Counts no waiting, so that a busy
    machine makes no failures."""

    def __enter__(self) -> None:
        if hasattr(signal, "setitimer"):  # not on Windows
            signal.signal(signal.SIGVTALRM, _over)
            signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _over(number: int, frame: object) -> None:
    raise TooLong(f"took more than {LIMIT_S} s of processor time")


def _kind(error: BaseException) -> str:
    """The error's type and the innermost place of this project."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    root = str(Path(__file__).resolve().parent.parent)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(root + "/") and f.filename != __file__]
    what = str(error)[:80] if isinstance(error, Failed | TooLong) else type(error).__name__
    return f"{what}, {Path(ours[-1].filename).name} line {ours[-1].lineno}" if ours else what


def _report(which: str, error: BaseException, save: Path | None) -> None:
    text = f"python -m benchmarks.fuzz --only {which}\n" + "".join(traceback.format_exception(error))
    print(text[-6_000:], file=sys.stderr, flush=True)
    if save:
        save.mkdir(parents=True, exist_ok=True)
        file = save / (which.replace(" --", "-").replace(" ", "-") + ".txt")
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
