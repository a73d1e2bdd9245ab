"""What the page is told, and who gets a websocket."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from lsp_server.config.settings import SETTINGS
from lsp_server.play import service
from tests.lsp_server.play.serving import children, join, serving


def test_the_page_is_told_the_table_of_settings() -> None:
    told = json.loads(json.dumps(service.config({"device": "cpu"})))
    assert told["given"] == {"device": "cpu"}
    assert set(told["settings"]) == set(SETTINGS)
    assert told["settings"]["maxHoleTokens"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 256}
    assert "typescript" in told["languages"]


@pytest.mark.parametrize("changes", [{"origin": "http://evil.example"}, {"origin": None}])
async def test_strangers_get_no_websocket_and_start_no_server(changes: dict[str, Any]) -> None:
    before = len(children())
    async with serving() as site:
        with pytest.raises(InvalidStatus) as refused:
            await join(site, **changes)
        assert refused.value.response.status_code == HTTPStatus.FORBIDDEN
        assert len(children()) == before
