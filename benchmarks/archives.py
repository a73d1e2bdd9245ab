"""Fetch a published archive of sources with the machine's own package clients, and read it.

No address is known here: pip, npm and apt ask what this machine is set up to ask. `deb` is a Debian package
that carries sources, such as `golang-*-dev`; `deb-src` is the upstream archive of a source package, found
through the machine's apt sources with `deb` read as `deb-src`. `wheel` is a built distribution for Linux on
x86-64, whatever machine this is. For `pypi`, pip runs an archive's own build script to learn its name;
nothing else of an archive is run, and nothing is installed.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

Source = Literal["pypi", "wheel", "npm", "deb", "deb-src"]
LONGEST_WAIT_S = 300.0
APT = Path("/etc/apt")
PYTHONS = ("3.14.5", "3.12.5")  # that a wheel may be for: the first one that there is a wheel for
PLATFORMS = (  # that a wheel may be for; pip takes each by its exact name
    *(f"manylinux_2_{n}_x86_64" for n in (28, 27, 26, 24, 17)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "any"),
)
UNSANDBOXED = ("-o", "APT::Sandbox::User=root")  # or apt could not write into a temporary folder
_DEB = re.compile(r"^(Types:\s*|)deb(?=\s)", re.MULTILINE)


class FetchError(Exception):
    """An archive could not be had; the text is one line that says why."""


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
            pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", package)
            _run(*pip, "--dest", str(into), f"{package}=={version}")
            pattern = "*.tar.gz"
        elif source == "wheel":
            pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", package)
            platforms = [part for name in PLATFORMS for part in ("--platform", name)]
            *newer, oldest = (
                (*pip, "--python-version", python, *platforms, "--dest", str(into), f"{package}=={version}")
                for python in PYTHONS
            )
            for command in newer:
                with suppress(FetchError):
                    _run(*command)
                    break
            else:
                _run(*oldest)
            pattern = "*.whl"
        elif source == "npm":
            npm = ("npm", "pack", "--ignore-scripts", "--pack-destination", str(into))
            _run(*npm, f"{package}@{version}")
            pattern = "*.tgz"
        elif source == "deb":
            _run("apt-get", "-qq", *UNSANDBOXED, "download", package, cwd=into)
            pattern = f"*_{version}_*.deb"
        else:
            # Not asked for by the version of the packaging, which goes with every fix: the archive stays.
            options = (*self._as_sources, "--tar-only", "--download-only")
            _run("apt-get", "-qq", *options, "source", package, cwd=into)
            pattern = f"*_{version}.orig.tar.*"
        found = [path for path in into.glob(pattern) if path.suffix != ".asc"]
        if len(found) != 1:
            offered = ", ".join(sorted(path.name for path in into.iterdir())) or "nothing"
            raise FetchError(f"{package} {version} is not what {source} offers here, which is {offered}")
        return found[0]

    @cached_property
    def _as_sources(self) -> tuple[str, ...]:
        """Options that make apt look for source packages where it looks for binary ones."""
        parts, lists = self.folder / "apt-parts", self.folder / "apt-lists"
        parts.mkdir()
        (lists / "partial").mkdir(parents=True)
        for path in [self._apt / "sources.list", *sorted((self._apt / "sources.list.d").glob("*"))]:
            if path.suffix in (".list", ".sources") and path.is_file():
                text = source_lists(path.read_text(encoding="utf-8"))
                (parts / path.name).write_text(text, encoding="utf-8")
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": str(parts),
            "Dir::State::Lists": str(lists),
            "Dir::Cache": str(self.folder),
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        _run("apt-get", "-qq", *UNSANDBOXED, *options, "update", check=False)  # some have no source packages
        return (*UNSANDBOXED, *options)


def source_lists(text: str) -> str:
    """An apt sources file, of either format, that names source packages instead of binary ones."""
    return _DEB.sub(r"\1deb-src", text)


def _run(*command: str, cwd: Path | None = None, check: bool = True) -> None:
    """The last argument is what is fetched."""
    what = f"{command[-1]} could not be fetched: "
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=LONGEST_WAIT_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise FetchError(f"{what}{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise FetchError(f"{what}no answer in {LONGEST_WAIT_S:.0f} s; try again later") from None
    if check and done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if re.match(r"E:|ERROR|npm err", line)]
        raise FetchError(what + (" ".join(said[:2])[:300] or f"exit status {done.returncode}"))


def sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def members(archive: Path) -> Iterator[tuple[PurePosixPath, int, bytes]]:
    """The regular files of an archive: path below its top folder, size and content, in its order. A wheel has
    no top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                path = PurePosixPath(info.filename)
                if not info.is_dir() and not path.is_absolute() and ".." not in path.parts:
                    yield path, info.file_size, wheel.read(info)
        return
    if archive.suffix == ".deb":
        inner = archive.with_suffix(".tar")
        with inner.open("wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=out, check=True)
        archive = inner
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None and path.parts and not path.is_absolute() and ".." not in path.parts:
                yield path, member.size, content.read()
