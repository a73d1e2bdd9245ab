"""Messages come out whole and in order; what is no message is left out, and nothing more."""

from __future__ import annotations

import io
import random

import pytest

from lsp_server.handlers import transport
from lsp_server.handlers.transport import Frames


def message(body: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    return header % len(body) + body


A, B, C = message(b'{"a": 1}'), message(b'{"b": 2}'), message(b'{"c": "\xc3\xa9"}')


def bodies(data: bytes) -> list[bytes]:
    """As pygls reads them."""
    frames, found = Frames(io.BytesIO(data)), []
    while header := frames.readline():
        assert header.startswith(b"Content-Length: ")
        assert frames.readline() == b"\r\n"
        body = frames.read(int(header[16:]))
        assert len(body) == int(header[16:])
        found.append(body)
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (A + B, [b'{"a": 1}', b'{"b": 2}']),
        (message(b"{}", b"Content-Length: %d\r\nContent-Type: application/x\r\n\r\n"), [b"{}"]),
        (message(b"{}", b"Content-Type: application/x\r\ncontent-length:%d\n\n"), [b"{}"]),
        (b"Content-Length: -3\r\n\r\n" + A, [b'{"a": 1}']),
        (b"Content-Length: 0\r\n\r\n" + A, [b'{"a": 1}']),
        (b"Content-Length: x\r\n\r\n{}" + A, [b'{"a": 1}']),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + A, [b'{"a": 1}']),
        (b"Content-Length: 999999999999\r\n\r\n" + A, [b'{"a": 1}']),
        (b"Content-Length: 4\r\n\r\n" + b'{"too": "short"}' + A + B, [b'{"to', b'{"a": 1}', b'{"b": 2}']),
        (b"no header at all\n\n\r\n" + A, [b'{"a": 1}']),
        (b"x" * 100_000 + A, [b'{"a": 1}']),
        (A + b"Content-Length: 100\r\n\r\n{}", [b'{"a": 1}']),
        (A + b"Content-Length: 1", [b'{"a": 1}']),
        (C, [b'{"c": "\xc3\xa9"}']),
    ],
)
def test_bodies(data: bytes, expected: list[bytes]) -> None:
    assert bodies(data) == expected


def test_after_a_length_that_was_too_large_the_next_but_one_is_understood() -> None:
    assert bodies(b"Content-Length: 20\r\n\r\n{}" + A + B)[-1] == b'{"b": 2}'


def test_a_message_over_the_limit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 100)
    assert bodies(A + message(b'"' + b"x" * 20_000 + b'"') + B) == [b'{"a": 1}', b'{"b": 2}']


def test_after_any_garbage_messages_get_through() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        damaged = bytearray(A + B)
        for _ in range(rng.randrange(5)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        assert bodies(bytes(damaged) + b" " * 2000 + A + A + A)[-1] == b'{"a": 1}'


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ("x", 0), ([], 1), ({}, 1), ({"a": [1, {"b": 2}]}, 3), ([[], [[[]]]], 4)]
)
def test_depth(value: object, depth: int) -> None:
    assert not transport.deeper(value, depth)
    assert depth == 0 or transport.deeper(value, depth - 1)
