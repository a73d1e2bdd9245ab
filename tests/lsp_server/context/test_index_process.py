"""The reader process's scans, run in this process; `test_gather` runs the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lsp_server.config.file_filter import FolderRules, Rules
from lsp_server.context import index_process
from lsp_server.context.index_process import Answer, Gone, Look, Scan, Scanned
from lsp_server.context.outline import Outline


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("def f(): ...\n")


def scan(
    root: Path, known: dict[str, tuple[int, int]] | None = None, folders: tuple[str, ...] = ()
) -> list[Answer]:
    rules = Rules(languages=("python",), roots=(str(root),))
    return list(index_process.answers(Scan(rules, known or {}, folders)))


def read(root: Path, answers: list[Answer]) -> dict[str, bool]:
    """Which files were read, and whether their text came along."""
    return {os.path.relpath(each.key, root): each.kept for each in answers if isinstance(each, Outline)}


def test_a_scan_reads_what_it_may(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.py",
        "sub/b.py",
        "c.js",
        ".hidden/d.py",
        "node_modules/e.py",
        "env/pyvenv.cfg",
        "env/f.py",
    )
    answers = scan(
        tmp_path, folders=(str(tmp_path / "sub"), str(tmp_path / "env"), "/", str(tmp_path / "gone"))
    )
    assert read(tmp_path, answers) == {"a.py": False, "sub/b.py": True}
    assert answers[-1] == Scanned(2, whole=True)


def test_folders_with_rules_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "one/a.py", "one/b.js", "two/a.py", "two/b.js", "two/c.py")
    own = FolderRules(str(tmp_path / "two"), ("*/c.*",), ("python", "javascript"))
    roots = (str(tmp_path / "one"), str(tmp_path / "two"))
    found = list(index_process.answers(Scan(Rules((), ("python",), roots, (own,)), {}, ())))
    assert set(read(tmp_path, found)) == {"one/a.py", "two/a.py", "two/b.js"}
    looks = [
        Look(Rules(folders=(own,)), "k", str(tmp_path / name), "python", "") for name in ("c.py", "two/c.py")
    ]
    assert [type(each) for look in looks for each in index_process.answers(look)] == [Outline, Gone]


def test_a_second_scan_reads_what_has_changed(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py", "c.py")
    known = {each.key: each.stamp for each in scan(tmp_path) if isinstance(each, Outline)}
    (tmp_path / "a.py").write_text("changed = True\n")
    (tmp_path / "b.py").unlink()
    answers = scan(tmp_path, known)
    assert read(tmp_path, answers) == {"a.py": False}
    assert answers[-2:] == [Gone((str(tmp_path / "b.py"),)), Scanned(2, whole=True)]


def test_a_file_that_has_become_unfit_is_gone(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py")
    known = {each.key: each.stamp for each in scan(tmp_path) if isinstance(each, Outline)}
    (tmp_path / "a.py").write_bytes(b"\0")
    (tmp_path / ".gitignore").write_text("b.py\n")
    gone = [key for each in scan(tmp_path, known) if isinstance(each, Gone) for key in each.keys]
    assert sorted(gone) == [str(tmp_path / "a.py"), str(tmp_path / "b.py")]


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 3), ("MAX_SCAN_BYTES", 30), ("MAX_SCAN_S", -1.0)])
def test_limits_end_a_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: float) -> None:
    write(tmp_path, *(f"{n}.py" for n in range(9)))
    monkeypatch.setattr(index_process, limit, value)
    answers = scan(tmp_path, known={"/of/another/scan.py": (1, 1)})
    assert len(answers) < 9
    assert isinstance(answers[-1], Scanned)
    assert not answers[-1].whole
    assert not any(isinstance(each, Gone) for each in answers)  # what was not reached may still be there


def test_the_text_of_a_folder_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.py", "b.py", "c.py")
    monkeypatch.setattr(index_process, "MAX_TEXT", 30)
    answers = scan(tmp_path, folders=(str(tmp_path),))
    assert read(tmp_path, answers) == {"a.py": True, "b.py": True, "c.py": False}
    stamps = {each.key: each.stamp for each in answers if isinstance(each, Outline)}
    texts = tuple(each.key for each in answers if isinstance(each, Outline) and each.kept)
    rules = Rules(languages=("python",), roots=(str(tmp_path),))
    assert list(index_process.answers(Scan(rules, stamps, (str(tmp_path),), texts))) == [
        Scanned(3, whole=True)
    ]
    again = index_process.answers(Scan(rules, stamps, (str(tmp_path),), texts[:1]))
    assert read(tmp_path, list(again)) == {"b.py": True}


def test_a_folder_behind_a_link_that_leaves_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, "outside/a.py", "root/b.py")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    answers = scan(tmp_path / "root", folders=(str(tmp_path / "root" / "link"),))
    assert read(tmp_path / "root", answers) == {"b.py": False}


def test_what_cannot_be_read_is_told_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.py", "odd.py", "sub/b.py", "circle/c.py")
    (tmp_path / ".gitignore").write_text("bin\\\n")
    (tmp_path / "circle" / "self").symlink_to(tmp_path / "circle")
    (tmp_path / "gone.py").symlink_to("nowhere")
    (tmp_path / "pipe.py").touch()
    os.mkfifo(tmp_path / "fifo.py")
    with open(os.fsencode(tmp_path) + b"/\xff.py", "w") as file:
        file.write("x = 1\n")
    real = index_process.outline.of

    def of(key: str, *args: object, **more: object) -> Outline:
        if key.endswith("odd.py"):
            raise RecursionError
        return real(key, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(index_process.outline, "of", of)
    answers = scan(tmp_path, folders=(str(tmp_path), str(tmp_path / "circle" / "self")))
    assert set(read(tmp_path, answers)) == {"a.py", "sub/b.py", "circle/c.py", "circle/self/c.py", "pipe.py"}
    last = answers[-1]
    assert isinstance(last, Scanned)
    assert last.skipped == (
        f"{tmp_path / '.gitignore'}, line 1: 'bin\\\\' is no pattern",
        f"{tmp_path / 'odd.py'} cannot be parsed",
    )


def test_folders_and_files_that_vanish_or_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.py", "closed/b.py", "vanishing/c.py")
    real = os.scandir

    def scandir(path: object = ".") -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        if str(path).endswith("vanishing"):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return real(path)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", scandir)
    answers = scan(tmp_path, folders=(str(tmp_path / "closed"), str(tmp_path / "vanishing")))
    assert set(read(tmp_path, answers)) == {"a.py"}
    last = answers[-1]
    assert isinstance(last, Scanned)
    assert last.skipped == (f"{tmp_path / 'closed'} cannot be listed: Permission denied",)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 elsewhere")
def test_a_name_that_is_no_utf_8_can_be_told(tmp_path: Path) -> None:
    """In a line about what was skipped; it ended the process, and with it all context."""
    folder = os.fsencode(tmp_path) + b"/\xff\n"
    os.mkdir(folder)
    Path(os.fsdecode(folder), ".gitignore").write_text("[z-a]\n")
    write(tmp_path, os.fsdecode(folder) + "/sub/a.py", "b.py")
    *_, last = answers = scan(tmp_path)
    assert set(read(tmp_path, answers)) == {"b.py"}
    assert isinstance(last, Scanned)
    (line,) = last.skipped
    odd = 2 * "\N{REPLACEMENT CHARACTER}"
    assert line == f"{tmp_path}/{odd}/.gitignore, line 1: '[z-a]' is no pattern"
    msgspec.json.encode(last)


def test_the_process_ends_with_its_input() -> None:
    asked = Look(Rules(), "k", "", "python", "def f(): ...\n")
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server.context.index_process"],
        input=msgspec.json.encode(asked) + b"\n",
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["key"] == "k"


def small(root: Path, folders: tuple[str, ...] = (), again: frozenset[str] = frozenset()) -> list[Answer]:
    rules = Rules(languages=("python",), roots=(str(root),))
    return list(index_process.answers(Scan(rules, {}, folders, again=again, everywhere=False)))


def test_a_small_scan_reads_only_what_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "sub/b.py", "sub/c.py", "other/d.py", "env/pyvenv.cfg", "env/f.py")
    assert read(tmp_path, small(tmp_path, (str(tmp_path / "sub"),))) == {"sub/b.py": True, "sub/c.py": True}
    names = ("a.py", "env/f.py", "gone.py")
    answers = small(tmp_path, again=frozenset(str(tmp_path / name) for name in names))
    assert read(tmp_path, answers) == {"a.py": False}
    assert answers[1:] == [Gone((str(tmp_path / "env/f.py"), str(tmp_path / "gone.py")))]


def test_what_is_wanted_again_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py")
    known = {each.key: each.stamp for each in scan(tmp_path) if isinstance(each, Outline)}
    again = frozenset({str(tmp_path / "b.py")})
    rules = Rules(languages=("python",), roots=(str(tmp_path),))
    answers = list(index_process.answers(Scan(rules, known, again=again)))
    assert read(tmp_path, answers) == {"b.py": False}
    assert answers[-1] == Scanned(2, whole=True)
