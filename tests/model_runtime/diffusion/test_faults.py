"""What people and logs are told of a failure; the log never quotes the user's code."""

from __future__ import annotations

import logging

import pytest

from model_runtime.diffusion.faults import Unfillable, log_bug, one_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("  no room\nfor a second line"), "no room"),
        (ValueError(), "ValueError"),
        (KeyError("\n"), r"'\n'"),
        (Unfillable("deadline", "out of time"), "out of time"),
        (ValueError("x" * 500), "x" * 200),
    ],
)
def test_one_line(error: Exception, said: str) -> None:
    assert one_line(error) == said


def test_a_bug_is_logged_by_its_place_and_kind_only(caplog: pytest.LogCaptureFixture) -> None:
    quoted = "hunter" + "2"

    def broken() -> None:
        raise ValueError(f"cannot fill {quoted}")

    with pytest.raises(ValueError, match=quoted) as caught:
        broken()
    with caplog.at_level(logging.ERROR):
        log_bug("a fill failed", caught.value)
    assert "a fill failed: ValueError" in caplog.text
    assert "in broken" in caplog.text
    assert quoted not in caplog.text
