"""Downloading one checkpoint into the hub library's cache, and checking it.

Proxies, certificates, tokens and the mirror (`HF_ENDPOINT`) are left to the library. Two things that it does
not do are done here. It discards an unfinished file when its process ends: here large files are resumed. It
compares sizes only: here checksums are compared.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.diffusion.faults import ModelError, one_line
from model_runtime.loading import checkpoint

CHUNK = 16 * 1024 * 1024  # bytes read at a time for a checksum
PART = ".infill-part"  # suffix of an unfinished file
SPARE = 1.02  # free disk space wanted, as a multiple of the bytes that are still missing


@dataclass(frozen=True)
class Offer:
    """What the hub says of a checkpoint."""

    id: str
    revision: str  # commit hash
    licence: str
    sizes: dict[str, int]  # file name -> bytes
    sums: dict[str, str]  # file name -> sha256, of large files only

    @property
    def total(self) -> int:
        return sum(self.sizes.values())


def look(id: str) -> Offer:
    """Ask the hub for a checkpoint without its files. Raises ModelError."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import filter_repo_objects

    if constants.HF_HUB_OFFLINE:
        raise ModelError("HF_HUB_OFFLINE is set, so nothing is downloaded; unset it to go online")
    try:
        info: Any = HfApi().model_info(id, files_metadata=True)
    except Exception as error:
        raise ModelError(explain(error, id)) from error
    card = info.card_data
    tags = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    licence = (card.get("license") if card else None) or (tags[0] if tags else "not stated")
    wanted = filter_repo_objects(
        info.siblings, ignore_patterns=checkpoint.IGNORED, key=lambda file: file.rfilename
    )
    files = list(wanted)
    names = {file.rfilename for file in files}
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        raise ModelError(f"{id} holds no model in safetensors; `infill-ls models list` names some that do")
    return Offer(
        id,
        info.sha,
        str(licence),
        {file.rfilename: file.size or 0 for file in files},
        {file.rfilename: file.lfs.sha256 for file in files if file.lfs},
    )


def fetch(offer: Offer) -> Path:
    """Download what is missing. Returns the snapshot's folder, complete by file size. Raises ModelError."""
    from huggingface_hub import constants, snapshot_download

    cache = Path(constants.HF_HUB_CACHE)
    free, missing = shutil.disk_usage(_existing(cache)).free, offer.total - _present_bytes(cache, offer)
    if free < missing * SPARE:
        raise ModelError(
            f"{missing / 1e9:.1f} GB are still to come, {free / 1e9:.1f} GB are free at {cache}; "
            "free some, or set HF_HOME to a folder on a larger disk"
        )
    try:
        all_but_small = [*checkpoint.IGNORED, *offer.sums]
        snapshot_download(offer.id, revision=offer.revision, ignore_patterns=all_but_small)
        for name in offer.sums:
            _fetch_large(offer, name, cache)
        return Path(snapshot_download(offer.id, revision=offer.revision, ignore_patterns=checkpoint.IGNORED))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(explain(error, offer.id)) from error


def _fetch_large(offer: Offer, name: str, cache: Path) -> None:
    """Into the cache's folder of files by checksum, from which the library links it. Resumes where an earlier
    process stopped."""
    import filelock
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    blob = _blobs(cache, offer) / offer.sums[name]
    if blob.exists():
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    part = blob.with_name(blob.name + PART)
    try:
        with filelock.FileLock(part.with_name(part.name + ".lock"), timeout=0), part.open("ab") as file:
            url, headers = hf_hub_url(offer.id, name, revision=offer.revision), build_hf_headers()
            found = get_hf_file_metadata(url)
            if found.location != url and not found.location.startswith(url.partition("/resolve/")[0]):
                headers.pop("authorization", None)  # another host needs no token: its URL is signed
            http_get(
                found.location,
                file,
                resume_size=file.tell(),
                headers=headers,
                expected_size=offer.sizes[name],
            )
        part.replace(blob)
    except filelock.Timeout:
        raise ModelError(f"{offer.id} is being downloaded already; wait for that") from None


def check(offer: Offer, folder: Path, on_bytes: Callable[[int], object]) -> None:
    """Compare checksums and see that the files make a model. A damaged file is removed. Raises ModelError.

    `on_bytes` is told how many more bytes have been read."""
    for name, wanted in offer.sums.items():
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                on_bytes(len(chunk))
        if digest.hexdigest() != wanted:
            (folder / name).resolve().unlink(missing_ok=True)
            (folder / name).unlink(missing_ok=True)
            raise ModelError(
                f"{name} was damaged on its way (wrong checksum) and has been removed; "
                f"run `infill-ls models download {offer.id}` again"
            )
    checkpoint.examine(folder, offer.id)
    # The library resolves an id by this file, and has not written it: it was asked for a revision.
    ref = folder.parent.parent / "refs" / "main"
    ref.parent.mkdir(exist_ok=True)
    ref.write_text(offer.revision)


def explain(error: BaseException, id: str) -> str:
    """One line for a person, with the remedy, for an error of the hub library."""
    from huggingface_hub import constants, errors

    host = constants.ENDPOINT
    chain = _chain(error)
    response = next((r for each in chain if (r := getattr(each, "response", None)) is not None), None)
    status = getattr(response, "status_code", None)
    told = " ".join(str(each) for each in chain)
    if any(isinstance(each, errors.GatedRepoError) for each in chain):
        return f"{id} is gated: accept its terms at {host}/{id}, then run `hf auth login`"
    if any(isinstance(each, errors.HFValidationError) for each in chain):
        return f"{id!r} is no id; it has the form owner/name"
    if any(isinstance(each, errors.RepositoryNotFoundError) for each in chain) or status == 404:
        return f"there is no {id} at {host}; check the spelling, or run `hf auth login` if it is private"
    if status in (401, 403):
        return f"{host} refuses access to {id} ({status}); run `hf auth login` with a token that may read it"
    if status == 429:
        return f"{host} asks to slow down (429); wait a while and run it again, it goes on where it stopped"
    if "CERTIFICATE" in told.upper():
        return f"{host} has a certificate that nobody here knows; set SSL_CERT_FILE to your organisation's"
    if any(isinstance(each, OSError) and each.errno == errno.ENOSPC for each in chain):
        return "the disk is full; free some, or set HF_HOME to a folder on a larger disk"
    if status is not None and status >= 500:
        return f"{host} has a problem ({status}); run it again later, it goes on where it stopped"
    if any("proxy" in type(each).__name__.lower() for each in chain):
        return f"the proxy cannot be used ({one_line(error, 80)}); check HTTPS_PROXY"
    if "onsistency check" in told or "incomplete" in told.lower() or "closed" in told:
        return f"the download of {id} was cut; run it again, it goes on where it stopped"
    return f"{host} cannot be reached ({one_line(chain[-1], 80)}); check the network, or HTTPS_PROXY"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or at.__context__
    return found


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _present_bytes(cache: Path, offer: Offer) -> int:
    """How much of it is in the cache already, unfinished files included."""
    blobs = _blobs(cache, offer)
    return sum(path.stat().st_size for path in blobs.glob("*")) if blobs.is_dir() else 0


def _blobs(cache: Path, offer: Offer) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return cache / repo_folder_name(repo_id=offer.id, repo_type="model") / "blobs"
