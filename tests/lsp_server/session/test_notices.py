from __future__ import annotations

import pytest

from lsp_server.session.notices import Notices
from lsp_server.text.document import Refusal


@pytest.mark.parametrize(
    ("reason", "notice"),
    [
        ("failed", "show"),
        ("worker-down", "show"),
        ("worker-lost", "log"),
        ("confidence", None),
        ("superseded", None),
        ("deadline", None),
        ("busy", None),
    ],
)
def test_each_kind_once(reason: str, notice: str | None) -> None:
    notices = Notices()
    assert [notices.of(Refusal(reason, "why")) for _ in range(3)] == [notice, None, None]


def test_what_is_news_again_after_it_has_worked() -> None:
    notices = Notices()
    down = [notices.of(Refusal("worker-down", f"{n} failures")) for n in (3, 4, 5)]
    assert down == ["show", None, None]
    assert notices.of(Refusal("failed", "out of memory")) == "show"
    assert notices.of(Refusal("failed", "no model")) == "show"
    notices.worked()
    assert notices.of(Refusal("worker-down", "3 failures")) == "show"
    assert notices.of(Refusal("failed", "out of memory")) is None, "said already, though it worked meanwhile"
