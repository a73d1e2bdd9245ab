"""What speaks for making a change at one more place, and how likely that makes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

# In the order of `Evidence.features`; from `python -m benchmarks.fit_next_edits` on the dev projects.
WEIGHTS = (
    *(-1.15, 0.38, 0.18, -0.26, 0.02, -0.44, 0.37, 0.86, 0.67),
    *(-0.02, -0.46, -1.14, 0.38, -0.95, -1.01, -0.48, -1.02),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    left: int  # words and marks before the place that are as where the change was made
    right: int  # and after it
    names: int  # among the replaced words
    inserts: bool  # nothing is replaced
    examples: int  # lines where the change was made
    likeness: float  # of the whole line to one where the change was made, in [0, 1]
    lines: int  # between the place and the nearest where the change was made
    known: bool  # the new words stand elsewhere in the text too
    places: int  # where it could still be made
    same_node: bool  # the parse has the same kind of node there
    kind: str  # code, string or comment
    age: int  # newer changes of other words
    pieces: int  # places in the line that change

    def features(self) -> tuple[float, ...]:
        return (
            1.0,
            self.left,
            self.right,
            float(self.left + self.right >= 4),
            float(self.names > 0),
            float(self.inserts),
            float(self.examples > 1),
            float(self.examples > 2),
            self.likeness,
            math.log(1 + self.lines),
            float(self.known),
            math.log(self.places),
            float(self.same_node),
            float(self.kind == "string"),
            float(self.kind == "comment"),
            float(self.age),
            float(self.pieces > 1),
        )

    @property
    def confidence(self) -> float:
        """In [0, 1], that the user will make the change there: a logistic regression of what authors did."""
        score = sum(weight * each for weight, each in zip(WEIGHTS, self.features(), strict=True))
        return 1 / (1 + math.exp(-score))
