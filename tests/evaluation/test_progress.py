"""Progress where standard error is no terminal: whole lines, and none of a short run."""

from __future__ import annotations

import pytest

from evaluation import progress


@pytest.mark.parametrize(
    ("every_s", "lines"),
    [
        (
            1e-9,
            [
                "[###############...............] 1/2 brackets,",
                "[##############################] 2/2 brackets,",
            ],
        ),
        (60.0, []),
    ],
)
def test_lines(
    every_s: float, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", every_s)
    with progress.bar(2) as bar:
        for _ in range(2):
            bar.set_description_str("brackets", refresh=False)
            bar.update()
    found = [line.strip() for line in capsys.readouterr().err.split("\n") if line.strip()]
    assert [line[: len(start)] for line, start in zip(found, lines, strict=True)] == lines
