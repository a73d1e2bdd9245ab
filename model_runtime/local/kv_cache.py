"""Keys and values of recent prompts, so that a keystroke encodes only what is new.

An entry is the token ids of a prompt and every layer's full KV. Sliding-window layers forget nothing here,
so a prefix can be rolled back to any point. Tensors are never written in place, so a rolled-back prefix
is a view and costs nothing. `NoCache` is the null twin: same answers, always cold. Knows no model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from model_runtime.network.forward import KeyValues, LayerKV


class Cache(Protocol):
    def match(self, ids: Sequence[int]) -> tuple[int, KeyValues]:
        """(n, KV of the first n ids): the longest beginning of `ids` that is cached; n may be 0."""
        ...

    def insert(self, ids: Sequence[int], kv: KeyValues) -> None:
        """`kv` is the full KV of `ids`. Raises ValueError where their lengths differ."""
        ...

    def clear(self) -> None: ...


class NoCache:
    def match(self, ids: Sequence[int]) -> tuple[int, KeyValues]:
        return 0, KeyValues()

    def insert(self, ids: Sequence[int], kv: KeyValues) -> None:
        pass

    def clear(self) -> None:
        pass


class PrefixCache:
    """Least recently used prompts go first once `budget` bytes are exceeded. One is used where it spares at
    least half of another prompt's encoding."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._entries: OrderedDict[tuple[int, ...], KeyValues] = OrderedDict()

    def clear(self) -> None:
        self._entries.clear()

    def check(self) -> None:
        """Raises ValueError where an entry is not the full KV of its tokens."""
        for ids, kv in self._entries.items():
            lengths = {t.shape[2] for layer in kv.layers for t in (layer.keys, layer.values)}
            if lengths != {len(ids)}:
                raise ValueError(f"an entry of {len(ids)} tokens holds layers of {sorted(lengths)}")

    @property
    def bytes(self) -> int:
        """Held by all entries together."""
        return sum(kv_bytes(kv) for kv in self._entries.values())

    def match(self, ids: Sequence[int]) -> tuple[int, KeyValues]:
        wanted = tuple(ids)
        best = max(self._entries, key=lambda known: _common(known, wanted), default=())
        n = _common(best, wanted)
        if n == 0:
            return 0, KeyValues()
        if 2 * n >= len(wanted):  # all prompts begin alike, and that beginning alone is no use of an entry
            self._entries.move_to_end(best)
        return n, rolled_back(self._entries[best], n)

    def insert(self, ids: Sequence[int], kv: KeyValues) -> None:
        """Keep `kv` for `ids`, in place of any prompt that it extends."""
        new = tuple(ids)
        if len(kv) != len(new):
            raise ValueError(f"{len(kv)} cached positions for {len(new)} tokens")
        for known in [k for k in self._entries if new[: len(k)] == k]:
            del self._entries[known]
        self._entries[new] = kv
        while self.bytes > self.budget and len(self._entries) > 1:
            self._entries.popitem(last=False)


def rolled_back(kv: KeyValues, n: int) -> KeyValues:
    """Of the first n tokens, as views."""
    return KeyValues([LayerKV(layer.keys[:, :, :n], layer.values[:, :, :n]) for layer in kv.layers])


def kv_bytes(kv: KeyValues) -> int:
    return sum(t.numel() * t.element_size() for layer in kv.layers for t in (layer.keys, layer.values))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])
