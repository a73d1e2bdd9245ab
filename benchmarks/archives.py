"""Fetch a published archive of sources with the machine's own package clients, and read it.

No address is known here: pip, npm and apt ask what this machine is set up to ask. From Debian it is the
upstream archive of a source package, found through the machine's apt sources with `deb` read as `deb-src`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

Source = Literal["pypi", "npm", "deb"]
APT = Path("/etc/apt")
LONGEST_WAIT_S = 300.0
_DEB = re.compile(r"^(Types:\s*|)deb(?=\s|$)", re.MULTILINE)


class FetchError(Exception):
    """An archive could not be had; the text is one line that says what to do."""


class Clients:
    """Fetches archives into `folder`, which is the caller's to remove."""

    def __init__(self, folder: Path, apt: Path = APT) -> None:
        self.folder = folder
        self._apt = apt

    def fetch(self, source: Source, package: str, version: str) -> Path:
        """The archive of `package` at exactly `version`."""
        into = self.folder / f"{source}-{re.sub(r'[^A-Za-z0-9.-]', '_', package)}"
        into.mkdir(parents=True, exist_ok=True)
        if source == "pypi":
            exact = f"{package}=={version}"
            _run("pip", "download", "--no-deps", "--no-binary", package, "--dest", str(into), exact)
            found = [*into.glob("*.tar.gz")]
        elif source == "npm":
            _run("npm", "pack", f"{package}@{version}", "--pack-destination", str(into), "--ignore-scripts")
            found = [*into.glob("*.tgz")]
        else:
            self._apt_get("source", "--download-only", f"{package}={version}", cwd=into)
            found = [*into.glob("*.orig.tar.*[!c]")]  # no .asc
        if len(found) != 1:
            raise FetchError(f"{package} {version}: {len(found)} archives came from {source} instead of one")
        return found[0]

    def _apt_get(self, *arguments: str, cwd: Path) -> None:
        _run("apt-get", "-qq", *self._source_lists, *arguments, cwd=cwd)

    @cached_property
    def _source_lists(self) -> list[str]:
        """Options that make apt look for source packages where it looks for binary ones."""
        parts, lists = self.folder / "apt-parts", self.folder / "apt-lists"
        parts.mkdir()
        (lists / "partial").mkdir(parents=True)
        for path in [self._apt / "sources.list", *sorted((self._apt / "sources.list.d").glob("*"))]:
            if path.suffix in (".list", ".sources") and path.is_file():
                text = path.read_text(encoding="utf-8")
                (parts / path.name).write_text(_DEB.sub(r"\1deb-src", text), encoding="utf-8")
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": str(parts),
            "Dir::State::Lists": str(lists),
            "Dir::Cache": str(self.folder),
            "APT::Sandbox::User": "root",  # or apt could not write into a temporary folder
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        _run("apt-get", "-qq", *options, "update", check=False)  # not every source has source packages
        return options


def _run(*command: str, cwd: Path | None = None, check: bool = True) -> None:
    what = " ".join(part for part in command if not part.startswith("-") and "::" not in part)
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=LONGEST_WAIT_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is not installed; it is needed for `{what}`") from None
    except subprocess.TimeoutExpired:
        raise FetchError(f"`{what}` took over {LONGEST_WAIT_S:.0f} s; try again later") from None
    if check and done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if "rror" in line or line.startswith("E:")]
        reason = said[0] if said else f"exit status {done.returncode}"
        raise FetchError(f"`{what}` failed: {reason}; if the version is gone, give the recipe another")


def sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def members(archive: Path) -> Iterator[tuple[PurePosixPath, int, bytes]]:
    """The regular files of a tar archive: path below its one top folder, size and content, in its order."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None and path.parts and not path.is_absolute() and ".." not in path.parts:
                yield path, member.size, content.read()
