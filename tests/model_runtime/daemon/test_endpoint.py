"""Where the worker listens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from model_runtime.daemon import endpoint


async def nobody(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...


async def test_closing_leaves_a_successors_endpoint_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.sock"
    first = await endpoint.listen(path, nobody)
    path.rename(tmp_path / "old.sock")
    second = await endpoint.listen(path, nobody)
    first.close()
    assert path.exists()
    second.close()
    assert not path.exists()


@pytest.mark.parametrize("loopback", [False, True])
async def test_what_a_dead_worker_left_is_replaced_by_a_private_file(tmp_path: Path, loopback: bool) -> None:
    path = tmp_path / "w.sock"
    path.write_text("left behind")
    path.chmod(0o666)
    listener = await endpoint.listen(path, nobody, loopback=loopback)
    assert path.stat().st_mode & 0o777 == 0o600
    if loopback:
        port, token = path.read_text().split()
        assert listener.admits(token)
        _, writer = await asyncio.open_connection("127.0.0.1", int(port))
    else:
        assert listener.admits("")
        _, writer = await asyncio.open_unix_connection(path)
    assert not listener.admits("é")
    assert endpoint.same_user(writer)
    writer.close()
    listener.close()
    assert not path.exists()
