from __future__ import annotations

import os
from pathlib import Path

import pytest

from lsp_server.config.file_filter import MAX_BYTES, Ignored, by_name, path_of, readable


@pytest.mark.parametrize(
    "path",
    [
        *("/p/.env", "/p/.env.local", "/p/prod.env", "/p/.envrc", "C:/p/.ENV", "/p/.env.py"),
        *("/p/server.pem", "/p/Server.KEY", "/p/id_rsa", "/p/id_ed25519.pub", "/p/.netrc", "/p/.npmrc"),
        *("/home/me/.ssh/config", "/home/me/.aws/credentials", "/p/.kube/anything.py"),
        *("/p/credentials.json", "/p/my-credentials-2.json", "/p/secrets.yaml", "/p/service-account-1.json"),
        *("/p/k8s/db-secret.yml", "/p/prod.tfvars"),
    ],
)
def test_key_files(path: str) -> None:
    reason = by_name(path, ())
    assert reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "path",
    [
        *("/p/a.py", "/p/environment.py", "/p/env.py", "/p/keys.py", "/p/key/a.py", "/p/secrets.py"),
        *("/p/credentials.py", "/p/pem.py", "/p/ssh/a.py", "Untitled-1", ""),
    ],
)
def test_code_about_keys_is_code(path: str) -> None:
    assert by_name(path, ()) is None


@pytest.mark.parametrize(
    ("path", "excluded"),
    [("/p/secret/a.py", True), ("/p/secret/deep/a.py", True), ("/p/a.py", False), ("/secret.py", False)],
)
def test_globs_of_the_user(path: str, excluded: bool) -> None:
    assert (by_name(path, ("*.c", "*/secret/*")) is not None) == excluded


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/me/a%20b.py", "/home/me/a b.py"),
        ("file:///C%3A/me/a.py", "C:/me/a.py"),
        ("vscode-notebook-cell:/p/a.ipynb#W0", "/p/a.ipynb#W0"),
        ("untitled:Untitled-1", "Untitled-1"),
        ("http://[not a uri", ""),
    ],
)
def test_the_path_of_a_uri(uri: str, path: str) -> None:
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("a.py", False),
        ("a.log", True),
        ("deep/er/a.log", True),
        ("kept.log", False),  # taken back
        ("build/a.py", True),
        ("src/build/a.py", False),  # the pattern names the top only
        ("src/gen/a.py", True),
        ("src/gen/kept.py", True),  # its folder is ignored, which nothing in it takes back
        ("src/made.py", True),  # by the folder's own file
        ("made.py", False),
        ("src/b.log", False),  # a deeper file outweighs
        ("local.py", True),  # .git/info/exclude
        (".git/hook.py", True),
    ],
)
def test_what_git_ignores(tmp_path: Path, path: str, ignored: bool) -> None:
    for name, text in {
        ".gitignore": "*.log\n!kept.log\n/build/\n",
        "src/.gitignore": "gen/\n!gen/kept.py\n/made.py\n!b.log\n",
        ".git/info/exclude": "local.py\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert Ignored().file(tmp_path / path) == ignored


BROKEN = [
    "bin\\",
    "!",
    "\\",
    "! ",
    "a" * 2_000,
    "*a" * 30 + "b",
    "[z-a]",
    "a/" + "*" * 8 + "[b]",
    "**/x/" * 5 + "[b]",
]


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_is_no_pattern_counts_for_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / ".gitignore").write_text(f"# a comment\n\n*.log\n{line}\nbuild/\n")
    ignored = Ignored()
    found = {path: ignored.file(tmp_path / path) for path in ("a.log", "build/a.py", "a.py", "a" * 60)}
    assert found == {"a.log": True, "build/a.py": True, "a.py": False, "a" * 60: False}
    (fault,) = ignored.faults
    assert fault.startswith(f"{tmp_path / '.gitignore'}, line 4: ")
    assert len(fault) < 200 + len(str(tmp_path))


def test_a_gitignore_that_is_none(tmp_path: Path) -> None:
    (tmp_path / ".git").symlink_to(".git")  # a circle
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / ".git-not")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".gitignore").symlink_to(tmp_path / ".git-not")
    assert not Ignored().file(tmp_path / "sub" / "a.py")


def test_a_workspace_inside_what_its_repository_ignores(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("private/\n")
    assert Ignored().file(tmp_path / "private" / "project" / "a.py")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a = 1\n", "a = 1\n"),
        (b"\xef\xbb\xbfa\n", "a\n"),
        (b"a\0b", None),
        (b"\xff\xfe", None),
        (b"#" * (MAX_BYTES + 1), None),
    ],
)
def test_reading(tmp_path: Path, data: bytes, text: str | None) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    assert readable(path) == text
    link = tmp_path / "link.py"
    link.symlink_to(path)
    assert readable(link) is None
    assert readable(tmp_path) is None
    assert readable(tmp_path / "gone.py") is None
