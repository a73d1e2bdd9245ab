"""An image that goes with an instruction: a file that the user names, or one pasted into the editor.

Only its size and kind are checked here; the worker decodes it.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

MAX_BYTES = 10_000_000  # of a file
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")  # PNG, JPEG, GIF, WebP, BMP
_DATA = "data:image/"


class ImageError(Exception):
    """The message is one line that names the remedy."""


def read_file(path: Path) -> bytes:
    """The file's content. Raises ImageError."""
    try:
        with path.expanduser().open("rb") as file:
            return _checked(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise ImageError(f"{error.strerror}; name a file that can be read") from None


def from_client(value: object) -> bytes:
    """The image file in what a client sends as `image`: a data URL, or nothing. Raises ImageError."""
    if value in (None, ""):
        return b""
    if not isinstance(value, str) or not value.startswith(_DATA) or ";base64," not in value[:100]:
        raise ImageError("an image is sent as a URL that begins with data:image/ and has base64 data")
    try:
        return _checked(base64.b64decode(value.partition(";base64,")[2], validate=True))
    except binascii.Error:
        raise ImageError("the image's base64 is damaged; paste it again") from None


def _checked(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise ImageError(f"more than {MAX_BYTES // 1_000_000} MB; make the image smaller")
    if not data.startswith(_STARTS):
        raise ImageError("not an image; PNG, JPEG, WebP, GIF and BMP are read")
    return data
