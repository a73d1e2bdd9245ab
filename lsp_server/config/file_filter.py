"""Which files are left alone: by name, by `.gitignore`, and because they are too large or no text.

Every file is checked here before it is read for context. A document that is completed is checked by name
only, that is by its path, without opening anything. Knows no settings and no LSP.
"""

from __future__ import annotations

import os
import re
import warnings
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# Of a line of a `.gitignore`; matching a longer one takes too long.
MAX_PATTERN = 1_000  # characters
MAX_STARS = 3  # in one part between slashes: each more takes some fifty times as long
MAX_DEPTHS = 4  # parts that are `**`
MAX_BYTES = 200_000  # larger files are tables or generated
_BINARY_BYTES = 8_192  # at a file's start; a zero byte among them means no text, as in git

# Files that hold keys or passwords. Matched against the name in lower case.
KEY_FILES = (
    *(".env", ".env.*", "*.env", ".envrc"),
    *("*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx", "*.gpg", "*.asc"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "authorized_keys", "known_hosts"),
    *(".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials"),
    *(".dockercfg", ".vault-token", ".s3cfg", ".boto", "*.tfvars", "*.tfstate", "service-account*.json"),
    *("credentials", "credentials.[!p]*", "*credentials*.json", "secrets.[ejtyi]*", "*secret*.y*ml"),
)
KEY_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store"})
# Not the user's own code, even if no .gitignore says so.
SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "dist-packages"})

_KEY_FILE = re.compile("|".join(f"(?:{translate(glob)})" for glob in KEY_FILES))
_SCHEME = re.compile(r"^[A-Za-z][\w+.-]*:(//[^/]*)?")  # urllib raises on what is not quite a URI
_DRIVE = re.compile(r"^/[A-Za-z]:")


class FolderRules(msgspec.Struct, frozen=True):
    """What holds in one folder of the workspace, in place of what holds elsewhere."""

    folder: str
    exclude: tuple[str, ...]
    languages: tuple[str, ...]


class Rules(msgspec.Struct, frozen=True):
    """Which files a user lets be read."""

    exclude: tuple[str, ...] = ()  # globs over the whole path; * crosses folders
    languages: tuple[str, ...] = ()  # LSP language ids
    roots: tuple[str, ...] = ()  # folders of the workspace
    folders: tuple[FolderRules, ...] = ()

    def at(self, path: str) -> Rules | FolderRules:
        """What holds for a path: the rules of the innermost folder that it is in."""
        around = (each for each in self.folders if PurePath(path).is_relative_to(each.folder))
        return max(around, key=lambda each: len(each.folder), default=self)


def path_of(uri: str) -> str:
    """The path in a URI. Of schemes other than `file` too, where no such file may exist."""
    path = unquote(_SCHEME.sub("", uri))
    return path[1:] if _DRIVE.match(path) else path


def by_name(path: str, exclude: tuple[str, ...]) -> str | None:
    """Why a file with this path is neither completed nor read, as one line for a person; None if it may."""
    if glob := next((glob for glob in exclude if fnmatchcase(path, glob)), None):
        return f"infill.exclude rules this file out: {glob}"
    parts = PurePath(path.lower()).parts
    if parts and (_KEY_FILE.match(parts[-1]) or not KEY_FOLDERS.isdisjoint(parts)):
        return f"files like {PurePath(path).name} hold keys or passwords and are left alone"
    return None


def readable(path: Path) -> str | None:
    """The text of a file; None if it is too large, no text, a link, or gone."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
        return None if b"\0" in data[:_BINARY_BYTES] else data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


class Ignored:
    """What git would ignore, by the `.gitignore` files of every folder from the repository's top down.

    Make a new one for each scan: every `.gitignore` is read only once. `faults` has a line for a person about
    each pattern and file that was left out of account so far, as git does with them too.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._spec = lru_cache(maxsize=None)(self._read)
        self._top = lru_cache(maxsize=None)(_top)
        self._folder = lru_cache(maxsize=None)(self._ignores_folder)

    def file(self, path: Path) -> bool:
        return self._folder(path.parent) or self._by_pattern(path, "")

    def folder(self, path: Path) -> bool:
        return self._folder(path)

    def _ignores_folder(self, path: Path) -> bool:
        """Also True inside an ignored folder, which no pattern can take back."""
        if path == self._top(path) or path == path.parent:
            return False
        return self._folder(path.parent) or path.name == ".git" or self._by_pattern(path, "/")

    def _by_pattern(self, path: Path, mark: str) -> bool:
        """The last match in the deepest folder decides. `mark` is "/" for a folder."""
        top = self._top(path.parent)
        for folder in path.parents:
            ignored = None
            if spec := self._spec(folder):
                ignored = spec.check_file(path.relative_to(folder).as_posix() + mark).include
            if ignored is not None:
                return ignored
            if folder == top:
                break
        return False

    def _read(self, folder: Path) -> GitIgnoreSpec | None:
        """The patterns of one folder; those that are none are left out."""
        from pathspec import GitIgnoreSpec

        patterns: list[Any] = []
        for name in (".git/info/exclude", ".gitignore"):  # the later one wins
            file = folder / name
            try:
                lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
            except OSError as error:
                self.faults.append(f"{file} cannot be read: {error.strerror}")
                continue
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    if _takes_long(line):
                        raise ValueError
                    with warnings.catch_warnings(action="ignore"):  # of `re`, on brackets in brackets
                        patterns += GitIgnoreSpec.from_lines([line]).patterns
                except (ValueError, re.error):
                    self.faults.append(f"{file}, line {number}: {line[:40]!r} is no pattern")
        return GitIgnoreSpec(patterns) if patterns else None


def _takes_long(line: str) -> bool:
    parts = line.split("/")
    stars = max(part.count("*") for part in parts if part != "**") if set(parts) != {"**"} else 0
    return len(line) > MAX_PATTERN or stars > MAX_STARS or parts.count("**") > MAX_DEPTHS


def _top(folder: Path) -> Path:
    """The repository's top folder. Outside repositories the file system's root, as other tools read
    `.gitignore` there too."""
    tops = (each for each in (folder, *folder.parents) if os.path.lexists(each / ".git"))
    return next(tops, Path(folder.anchor))
