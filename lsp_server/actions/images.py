"""An image that goes along with an instruction: a file the user names, or what an editor has pasted.

Only checked for size and kind; it is the worker that decodes it.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

MAX_BYTES = 10_000_000
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")  # PNG, JPEG, GIF, WebP, BMP
_DATA = "data:image/"


class PictureError(Exception):
    """One line that names the remedy."""


def read_file(path: Path) -> bytes:
    """Raises PictureError."""
    try:
        with path.expanduser().open("rb") as file:
            return _checked(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise PictureError(f"{error.strerror}; name a file that can be read") from None


def from_client(value: object) -> bytes:
    """What a client sends as `image`: nothing, or a data URL. Raises PictureError."""
    if value in (None, ""):
        return b""
    if not isinstance(value, str) or not value.startswith(_DATA) or ";base64," not in value[:100]:
        raise PictureError("an image is sent as a URL that begins with data:image/ and has base64 data")
    try:
        return _checked(base64.b64decode(value.partition(";base64,")[2], validate=True))
    except binascii.Error:
        raise PictureError("the image's base64 is damaged; paste it again") from None


def _checked(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise PictureError(f"more than {MAX_BYTES // 1_000_000} MB; make the image smaller")
    if not data.startswith(_STARTS):
        raise PictureError("not an image; PNG, JPEG, WebP, GIF and BMP are read")
    return data
