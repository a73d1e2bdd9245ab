"""Frames and addresses: what both sides must agree on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from pathlib import Path

import msgspec
import pytest

from model_runtime import protocol
from model_runtime.protocol import (
    Cancel,
    Done,
    Draft,
    Feedback,
    Fixed,
    Hello,
    Infill,
    Percentiles,
    Refused,
    Slot,
    Status,
    Stop,
    Token,
)

CLIENT = [
    Hello(token="t"),
    Infill(7, "file:///a.py", "é\n", (Fixed("x = "), Slot(8), Fixed("\r\n😀")), deadline_ms=50, drafts=True),
    Infill(8, "a", "", (Slot(1),), tokens=True, steps=4),
    Cancel(7),
    Feedback(shown=2, accepted=1),
    protocol.StatusRequest(8),
    Stop(),
]
WORKER = [
    Hello(),
    Draft(7, 1, ("a", "")),
    Draft(7, 2, ("a",), (Token("é", "é", "pinned", 0.0), Token("", "x", "noise", -2.5))),
    Done(7, ("a", "b"), 0.5, 3, 1.0, 2.0, 3.0, complete=False),
    Refused(7, "busy", "later"),
    Status(8, 1, "loading", "embedded", "auto", "", 0.5, 1, 0, 0, 0, None, None),
    Status(
        8,
        1,
        "ready",
        "m",
        "cpu",
        "",
        1.0,
        1,
        0,
        0,
        9,
        1.0,
        2.0,
        3.0,
        {"queue": Percentiles(1, 2, 3)},
        9,
        {"busy": 2},
    ),
]


async def read(data: bytes, decoder: msgspec.msgpack.Decoder = protocol.client_decoder) -> list:
    """All messages of a stream that ends after `data`."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    messages = []
    while (message := await protocol.read_message(reader, decoder)) is not None:
        messages.append(message)
    return messages


@pytest.mark.parametrize(
    ("messages", "decoder"), [(CLIENT, protocol.client_decoder), (WORKER, protocol.worker_decoder)]
)
async def test_messages_survive_the_wire(messages: list, decoder: msgspec.msgpack.Decoder) -> None:
    assert await read(b"".join(map(protocol.pack, messages)), decoder) == messages


STOP = protocol.pack(Stop())


@pytest.mark.parametrize(
    "data",
    [
        STOP[:2],
        STOP[:4],
        STOP[:-1],
        STOP + STOP[:4],
        struct.pack(">I", protocol.MAX_FRAME + 1),
        struct.pack(">I", 0),
        struct.pack(">I", 3) + b"abc",
        struct.pack(">I", 100_000) + b"\x91" * 100_000,
        protocol.pack(Hello(token="a")).replace(b"\xa1a", b"\xa1\xff"),
        protocol.pack(Refused(1, "failed")),  # the other side's
    ],
    ids=["length cut", "no body", "body cut", "second cut", "giant", "empty", "text", "deep", "utf8", "side"],
)
async def test_what_is_no_message_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        await read(data)


async def test_random_frames_raise_nothing_else() -> None:
    rng = random.Random(0)
    good = [protocol.pack(message)[4:] for message in CLIENT]
    for _ in range(3000):
        body = bytearray(rng.choice(good) if rng.random() < 0.7 else rng.randbytes(rng.randrange(60)))
        for _ in range(rng.randrange(4) if body else 0):
            body[rng.randrange(len(body))] = rng.randrange(256)
        with contextlib.suppress(protocol.ProtocolError):
            await read(struct.pack(">I", len(body)) + bytes(body))


def test_a_message_over_the_limit_is_not_packed() -> None:
    with pytest.raises(protocol.ProtocolError, match="over the limit"):
        protocol.pack(Infill(1, "a", "x" * protocol.MAX_FRAME, ()))


def test_the_runtime_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path / "new"))
    assert protocol.runtime_dir().stat().st_mode & 0o777 == 0o700
    (tmp_path / "new").chmod(0o777)
    with pytest.raises(PermissionError, match="chmod"):
        protocol.runtime_dir()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        protocol.private_folder(tmp_path / "link")


def test_endpoints_differ_by_model_and_device_and_fit_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = protocol.Choice.__struct_fields__
    names = {protocol.endpoint_name(protocol.Choice(**{field: "x"})) for field in fields}
    assert len(names) == len(fields)
    a, b = protocol.Choice(model="a"), protocol.Choice(model="b")
    deep = tmp_path / ("d" * 120)
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(deep))
    short = protocol.endpoint_path(a)
    assert len(str(short)) <= protocol.MAX_SOCKET_PATH
    assert short == protocol.endpoint_path(a) != protocol.endpoint_path(b)
    assert short.parent.stat().st_mode & 0o777 == 0o700
    assert protocol.log_path(a).parent == deep
