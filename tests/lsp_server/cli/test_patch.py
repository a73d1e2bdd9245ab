from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.cli.patch import FileChanged, applied, unified, write
from lsp_server.text.document import Edit, Span


def edit(start: int, end: int, text: str) -> Edit:
    return Edit("file:///a", 0, Span(start, end), text, 1.0, 1, 1.0)


def test_edits_are_made_together() -> None:
    assert applied("abcdef", [edit(0, 1, "xx"), edit(3, 3, "-"), edit(5, 6, "")]) == "xxbc-de"


def test_no_difference_no_diff() -> None:
    assert unified("a.py", "a\n", "a\n") == ""


@given(st.text("ab\r\n\x0c😀", max_size=30), st.text("ab\r\n\x0c😀", max_size=30))
def test_a_diff_has_a_header_and_whole_lines(old: str, new: str) -> None:
    diff = unified("a.py", old, new)
    assert (diff == "") == (old == new)
    assert not diff or (diff.startswith("--- a/a.py\n+++ b/a.py\n") and diff.endswith("\n"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs git apply with the same line ends")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\n", "a\nc\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a", "b"),
        ("a\n", "a\nb"),
        ("a\x0cb\nc\n", "a\x0cb\n"),
    ],
)
def test_git_applies_the_diff(old: str, new: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(old.encode())
    run = subprocess.run(
        ["git", "apply", "-"], input=unified("a.py", old, new).encode(), cwd=tmp_path, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "a.py").read_bytes() == new.encode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")
def test_writing_keeps_mode_mark_and_links(tmp_path: Path) -> None:
    file, link = tmp_path / "a.py", tmp_path / "link.py"
    old = b"\xef\xbb\xbfa\r\n"
    file.write_bytes(old)
    os.chmod(file, 0o755)
    link.symlink_to(file)
    write(link, old, "b\r\n")
    assert file.read_bytes() == b"\xef\xbb\xbfb\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o755
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_a_file_that_has_changed_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"a\n")
    with pytest.raises(FileChanged):
        write(file, b"b\n", "c\n")
    assert file.read_bytes() == b"a\n"
