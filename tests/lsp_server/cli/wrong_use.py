"""How a command answers wrong use."""

from __future__ import annotations

from click.testing import Result


def check_wrong_use(result: Result, *words: str) -> None:
    """One line on stderr that holds the words, exit status 2."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr
