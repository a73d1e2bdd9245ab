"""What every finding must be."""

from __future__ import annotations

from lsp_server.doctor.finding import Finding


def check(finding: Finding, level: str, *words: str) -> None:
    assert finding.level == level, finding
    assert bool(finding.remedy) == (level != "ok"), finding
    said = f"{finding.message} {finding.remedy}"
    assert "\n" not in said
    assert all(word in said for word in words), finding
