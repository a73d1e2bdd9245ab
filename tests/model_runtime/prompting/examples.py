"""Requests to a model that follows instructions, an image, and a denoiser that writes what it is told."""

from __future__ import annotations

import io

from msgspec.structs import replace
from PIL import Image

from model_runtime.diffusion.interface import BranchScore, Guess, Proposal, Row
from model_runtime.protocol import Fixed, Infill, Slot
from tests.support import tiny_gemma

LINES = "".join(f"x{n} = {n}\n" for n in range(40))
HOLE = Infill(
    id=0,
    document="d",
    prefix=LINES,
    language="python",
    canvas=(Fixed("y = "), Slot(8), Fixed(" + 1\nz = 3\nw = 4\n")),
)
REWRITE = replace(
    HOLE, instruction="faster", original="y = f(x)", canvas=(Fixed("    "), Slot(64), Fixed("\n"))
)


def png(colour: str, size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


class Scripted:
    """A denoiser that writes given canvases, one after another, and likes them as told."""

    device = "cpu"
    dtype = "float32"

    def __init__(self, canvases: list[list[int]], means: list[float] | None = None) -> None:
        self.canvases = canvases
        self.means = means or []
        self.prompts: list[list[int]] = []
        self.rows: list[list[Row]] = []

    def cached(self, prompt: list[int]) -> int:
        return 0

    def prefill(self, prompt: list[int]) -> None:
        pass

    def denoise(self, prompt, rows, policy, seed):
        self.prompts.append(list(prompt))
        self.rows.append(list(rows))
        ids = self.canvases[len(self.prompts) - 1]
        filled = ids + [0] * (tiny_gemma.CANVAS - len(ids))
        guesses = [filled, *(list(row.ids) for row in rows[1:])]
        yield Proposal(1, (0,), False, lambda: Guess(guesses, []))
        yield Proposal(2, (0,), True, lambda: Guess(guesses, []))

    def score(self, prompt, head, branches):
        means = self.means or [-1.0] * len(branches)
        return [BranchScore([mean] * len(b.ids), []) for mean, b in zip(means, branches, strict=True)]
