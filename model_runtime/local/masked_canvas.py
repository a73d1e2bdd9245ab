"""A row as a masked-diffusion model reads it: known ids, and holes whose lengths may change. No tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_runtime.diffusion.interface import Row
from model_runtime.diffusion.masked import Ids


@dataclass(frozen=True)
class Laid:
    """A canvas with given holes, as one sequence."""

    ids: Ids
    fresh: Ids  # positions that change, or whose outputs are read: a pass computes at least these
    read: Ids  # of each hole position: where in `fresh` its token is read

    @property
    def kept(self) -> Ids:
        """The other positions."""
        computed = set(self.fresh)
        return tuple(at for at in range(len(self.ids)) if at not in computed)


@dataclass(frozen=True)
class Canvas:
    known: tuple[Ids, ...]  # before, between and after the holes: one more than these
    sizes: Ids  # positions of each hole in the row that it is from

    @staticmethod
    def of(prompt: Sequence[int], row: Row, *, pad: int, eos: int | None) -> Canvas:
        """`pad` fills the end of a row, where it is not read; a row that ends so gets `eos`, if there is
        one."""
        end = len(row.ids)
        while end and row.pinned[end - 1] and row.ids[end - 1] == pad:
            end -= 1
        ids, pinned = list(row.ids[:end]), list(row.pinned[:end])
        if end < len(row.ids) and eos is not None:
            ids, pinned = [*ids, eos], [*pinned, True]
        known: list[list[int]] = [list(prompt)]
        sizes: list[int] = []
        inside = False
        for token, fixed in zip(ids, pinned, strict=True):
            if fixed:
                known[-1].append(token)
            elif inside:
                sizes[-1] += 1
            else:
                sizes.append(1)
                known.append([])
            inside = not fixed
        return Canvas(tuple(map(tuple, known)), tuple(sizes))

    def cut(self, after: int) -> Canvas:
        """With at most so many known ids after the last hole."""
        return replace(self, known=(*self.known[:-1], self.known[-1][:after]))

    def lay(self, holes: Sequence[Sequence[int]], *, shifted: bool) -> Laid:
        """`shifted`: the token of a position is read one before it."""
        ids: list[int] = list(self.known[0])
        at: list[int] = []
        edges: set[int] = set()
        for hole, after in zip(holes, self.known[1:], strict=True):
            if shifted and ids:
                edges.add(len(ids) - 1)
            at += range(len(ids), len(ids) + len(hole))
            ids += [*hole, *after]
        fresh = sorted(edges | set(at))
        where = {position: n for n, position in enumerate(fresh)}
        read = tuple(where[max(0, position - 1) if shifted else position] for position in at)
        return Laid(tuple(ids), tuple(fresh), read)
