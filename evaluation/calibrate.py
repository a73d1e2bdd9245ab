"""`infill-ls eval --calibrate`: from what a model claimed, and whether it was right, to two numbers in the
user's cache folder that correct what it claims (`model_runtime.retrieval.scaling`).

They are fitted to the answers of the real worker, so any model and backend will do.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.contenders import Shipped
from model_runtime.protocol import Choice, Refused
from model_runtime.retrieval import scaling


class CannotCalibrate(Exception):
    """The message is one line for a person."""


async def begin(shipped: Shipped) -> None:
    """Have a worker that claims what the numbers on disk make it claim. Raises CannotCalibrate."""
    await shipped.worker.stop()  # one that runs may have read older ones
    if problem := await shipped.start():
        raise CannotCalibrate(problem)
    status = await shipped.worker.status()
    if not isinstance(status, Refused) and status.calibrated == "model":
        raise CannotCalibrate("this model comes with a calibration of its own; there is nothing to fit")


def finish(choice: Choice, claims: Sequence[tuple[float, bool]]) -> str:
    """Fit and save; what was done, in one line. Raises CannotCalibrate."""
    if len(claims) < scaling.FEWEST:
        raise CannotCalibrate(
            f"{len(claims)} holes got a suggestion, at least {scaling.FEWEST} are needed to calibrate a model"
        )
    found = scaling.fitted(claims).after(scaling.load(choice) or scaling.UNSCALED)
    try:
        file = scaling.save(choice, found)
    except OSError as error:
        raise CannotCalibrate(f"the calibration cannot be kept: {error.strerror or error}") from None
    return f"calibrated on {len(claims)} suggestions; workers that start from now on read {file}"
