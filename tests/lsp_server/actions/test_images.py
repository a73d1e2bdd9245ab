"""Images that come from a file or a client: what is let through."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from lsp_server.actions import images

PNG = b"\x89PNG\r\n\x1a\n and so on"


def url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("value", [None, ""])
def test_none(value: object) -> None:
    assert images.from_client(value) == b""


def test_what_is_let_through(tmp_path: Path) -> None:
    assert images.from_client(url(PNG)) == PNG
    (tmp_path / "a.png").write_bytes(PNG)
    assert images.read_file(tmp_path / "a.png") == PNG


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (7, "a URL that begins with data:image/"),
        ("https://example.com/a.png", "a URL that begins with data:image/"),
        ("file:///etc/passwd", "a URL that begins with data:image/"),
        (url(PNG, "text/plain"), "a URL that begins with data:image/"),
        ("data:image/png;base64,%%%", "damaged"),
        (url(b"no image"), "not an image"),
        (url(PNG + b"x" * images.MAX_BYTES), "make the image smaller"),
    ],
)
def test_what_is_not(value: object, says: str) -> None:
    with pytest.raises(images.ImageError, match=says):
        images.from_client(value)
