"""Text <-> ids: lays a request out as a prompt and a canvas row, and reads the holes back.

Pieces are tokenized one by one (whole lines for the prompt, then each canvas piece), so a prompt's
ids change only where its text does. Token ids never leave `model_runtime`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from model_runtime.denoiser import Row
from model_runtime.profiles import Profile
from model_runtime.protocol import Fixed, Infill, Slot

CHARACTERS_PER_TOKEN = 8  # no more than this many are ever needed to fill a token budget


class LayoutError(Exception):
    """The request does not fit the canvas; the message is for a person."""


@dataclass(frozen=True)
class Layout:
    prompt: list[int]
    row: Row
    slots: list[slice]  # of hole positions, one per Slot, in canvas order


class Tokens:
    def __init__(self, tokenizer: Tokenizer, profile: Profile) -> None:
        self._tokenizer = tokenizer
        self.profile = profile

    @staticmethod
    def load(folder: Path, profile: Profile) -> Tokens:
        return Tokens(Tokenizer.from_file(str(folder / "tokenizer.json")), profile)

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def lay(self, request: Infill) -> Layout:
        """Prompt and canvas within the profile's budgets: a long prefix loses its oldest lines, a
        long head moves to the prompt, the suffix takes the room that is left."""
        p = self.profile
        first, last = _slot_bounds(request.canvas)
        head = self._encode_all(request.canvas[:first])
        middle, slots = self._holes(request.canvas[first : last + 1])
        moved = max(0, len(head) - p.head)
        prompt = self._prompt(request.prefix, room=p.context - moved) + head[:moved]
        head = head[moved:]
        room = p.canvas - len(head) - len(middle)
        if room < p.suffix:
            raise LayoutError(
                f"the holes and the text between them need {len(middle)} tokens, "
                f"this model's canvas has room for {p.canvas - len(head) - p.suffix}"
            )
        suffix = self._suffix(request.canvas[last + 1 :], room)
        ids = head + [i for i, _ in middle] + suffix
        pinned = [True] * len(head) + [known for _, known in middle] + [True] * len(suffix)
        return Layout(prompt, Row(ids, pinned), slots)

    def _encode_all(self, pieces: Sequence[Fixed | Slot]) -> list[int]:
        text = "".join(piece.text for piece in pieces if isinstance(piece, Fixed))
        return self.encode(text) if text else []

    def _holes(self, pieces: Sequence[Fixed | Slot]) -> tuple[list[tuple[int, bool]], list[slice]]:
        """(id, pinned) from the first slot to the last, and each slot's hole positions."""
        out: list[tuple[int, bool]] = []
        slots: list[slice] = []
        taken = 0
        for piece in pieces:
            if isinstance(piece, Fixed):
                out += [(i, True) for i in self.encode(piece.text)]
                continue
            size = min(piece.max_tokens, self.profile.slot) + 1  # one for the filler that ends it
            slots.append(slice(taken, taken + size))
            taken += size
            out += [(self.profile.gap, False)] * size
        return out, slots

    def _prompt(self, prefix: str, room: int) -> list[int]:
        """Beginning-of-text and the newest lines of `prefix`; the cut moves in `context_step`s."""
        p = self.profile
        ids = self.encode(_tail(prefix, p.context * CHARACTERS_PER_TOKEN))
        room -= len(p.bos)
        if len(ids) > room:
            excess = len(ids) - room
            start = -(-excess // p.context_step) * p.context_step
            newline = self.encode("\n")[0]
            try:
                start = ids.index(newline, start) + 1
            except ValueError:
                start = excess
            ids = ids[start:]
        return [*p.bos, *ids]

    def _suffix(self, pieces: Sequence[Fixed | Slot], room: int) -> list[int]:
        text = "".join(piece.text for piece in pieces if isinstance(piece, Fixed))
        ids = self.encode(text[: room * CHARACTERS_PER_TOKEN]) if text else []
        return [*ids, self.profile.end][:room]


def _tail(text: str, characters: int) -> str:
    """The last whole lines of `text`, in blocks so that the cut is stable as the text grows."""
    if len(text) <= characters:
        return text
    block = characters // 4
    start = -(-(len(text) - characters) // block) * block
    newline = text.find("\n", start)
    return text[newline + 1 :] if newline >= 0 else text[-characters:]


def _slot_bounds(pieces: Sequence[Fixed | Slot]) -> tuple[int, int]:
    where = [i for i, piece in enumerate(pieces) if isinstance(piece, Slot)]
    if not where:
        raise LayoutError("the canvas has no hole")
    if any(piece.max_tokens < 1 for piece in pieces if isinstance(piece, Slot)):
        raise LayoutError("a hole must have room for at least one token")
    return where[0], where[-1]
