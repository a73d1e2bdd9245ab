"""A point of a run's curve as a row of a table."""

from __future__ import annotations

from model_runtime.training import curve


def test_a_row_says_hours_millions_losses_and_shares() -> None:
    point = {
        **{"seconds": 7200, "causal_tokens": 6_000_000, "canvas_tokens": 2_000_000},
        **{"missing_tokens": 310_000, "example_tokens": 1_000_000},
        **{"val_causal": 2.0, "val_canvas": 4.0, "val_answer": 1.5},
        "exact": {"denoiser": {"span": 3.6}, "causal": {"end-of-line": 12.4}},
    }
    shown = dict(zip(curve.COLUMNS, curve.cells(point), strict=True))
    assert shown["hours"] == "2.0"
    assert shown["of these in holes"] == "0.3"
    assert shown["tokens/s"] == "1,250"
    assert shown["of answers"] == "1.500"
    assert (shown["denoiser right %"], shown["encoder right %"]) == ("0 / 0 / 0 / 4", "12 / 0 / 0 / 0")
    assert curve.row(["a", "b"]) == "| a | b |"
