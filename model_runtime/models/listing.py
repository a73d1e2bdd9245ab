"""Known checkpoints and those in the cache, as a table or as JSON. Opens no connection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import checkpoint
from model_runtime.models.known import KNOWN, Known


@dataclass(frozen=True)
class Row:
    known: Known
    state: str  # "ready", "partial" or "absent"
    folder: str  # empty unless ready
    disk_bytes: int  # in the cache


def rows() -> list[Row]:
    """The known ones, then others of our kind that are in the cache."""
    kept = _cached()
    others = [Known(id, "", 0.0, {}, "in the cache") for id in kept if id not in {k.id for k in KNOWN}]
    return [_row(known, kept) for known in (*KNOWN, *others)]


def table(found: list[Row]) -> str:
    lines = [f"{'model':<48}{'files':>9}  {'on disk':<9}{'licence':<12}memory, by infill.quantization"]
    for row in found:
        size = row.known.gigabytes or row.disk_bytes / 1e9
        memory = ", ".join(f"{kind} {gb:g} GB" for kind, gb in row.known.memory.items())
        what = memory or row.known.use
        lines.append(f"{row.known.id:<48}{size:>6.1f} GB  {row.state:<9}{row.known.licence or '?':<12}{what}")
        if memory:
            lines.append(f"{'':<48}{row.known.use}")
    return "\n".join(lines)


def as_json(found: list[Row]) -> str:
    return json.dumps(
        [
            {
                "id": row.known.id,
                "licence": row.known.licence,
                "gigabytes": row.known.gigabytes or round(row.disk_bytes / 1e9, 2),
                "memory_gb": row.known.memory,
                "use": row.known.use,
                "state": row.state,
                "folder": row.folder,
            }
            for row in found
        ]
    )


def _row(known: Known, kept: dict[str, int]) -> Row:
    if known.id != "embedded" and known.id not in kept:
        return Row(known, "absent", "", 0)
    try:
        folder = checkpoint.find(known.id)
        checkpoint.examine(folder, known.id)
    except ModelError:
        return Row(known, "partial", "", kept.get(known.id, 0))
    return Row(known, "ready", str(folder), kept.get(known.id, 0))


def _cached() -> dict[str, int]:
    """Id -> bytes of each text-diffusion model in the hub library's cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache: Any = scan_cache_dir()
    except CacheNotFound:
        return {}
    known = {each.id for each in KNOWN}
    return {
        repo.repo_id: repo.size_on_disk
        for repo in sorted(cache.repos, key=lambda repo: repo.repo_id)
        if repo.repo_type == "model" and (repo.repo_id in known or _is_ours(repo))
    }


def _is_ours(repo: Any) -> bool:
    for revision in repo.revisions:
        for file in revision.files:
            if file.file_name == "config.json":
                try:
                    return json.loads(file.file_path.read_bytes()).get("model_type") == checkpoint.MODEL_TYPE
                except (OSError, ValueError, AttributeError):
                    return False
    return False
