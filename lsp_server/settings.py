"""Raw client options -> (Settings, problems).

A client may send anything; Settings holds only values that work. A bad value is named in `problems`,
one line each for the user, and its default is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from lsp_server.document import Refusal, Snapshot
from lsp_server.exclude import by_name, path_of
from lsp_server.languages import canonical
from model_runtime.protocol import Choice

_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d+)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings; the client's name of `idle_unload_minutes` is `infill.idleUnloadMinutes`."""

    model: str = "embedded"  # or a Hugging Face id, or a folder
    device: str = "auto"
    dtype: str = "auto"
    quantization: str = "none"
    adapter: str = ""  # a folder
    backend: str = "local"
    backend_url: str = ""
    max_hole_tokens: int = 64
    deadline_ms: int | None = 1500  # from the worker's receipt of a request; None: no limit
    confidence_threshold: float = 0.4  # not offered below it; from the embedded model's calibration
    languages: tuple[str, ...] = ("python",)  # LSP language ids; the embedded model knows no other
    exclude: tuple[str, ...] = ()  # globs over the whole path; * crosses folders
    idle_unload_minutes: float = 10
    log_level: str = "info"

    @property
    def choice(self) -> Choice:
        """The part that the worker is told when it starts."""
        return Choice(
            model=self.model,
            device=self.device,
            dtype=self.dtype,
            quantization=self.quantization,
            adapter=self.adapter,
            backend=self.backend,
            url=self.backend_url,
        )

    def refusal(self, snapshot: Snapshot) -> Refusal | None:
        """Why this document is not to be completed, if it is not."""
        if canonical([snapshot.language]).isdisjoint(canonical(self.languages)):
            language = snapshot.language or "plain text"
            return Refusal("language", f"infill.languages does not enable {language}")
        if reason := by_name(path_of(snapshot.uri), self.exclude):
            return Refusal("excluded", reason)
        return None


def resolve(raw: Any) -> tuple[Settings, list[str]]:
    """Settings of the `infill` section; a missing name or a null means the default."""
    if raw is None:
        return Settings(), []
    if not isinstance(raw, dict):
        return Settings(), [f"the infill settings must be an object, not {_show(raw)}; using the defaults"]
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in raw.items():
        if name not in _CHECKS:
            problems.append(f"infill.{name}: there is no such setting")
        elif value is not None:
            field, (accepts, wanted) = _FIELDS[name], _CHECKS[name]
            if accepts(value):
                values[field] = tuple(value) if isinstance(value, list) else value
            else:
                default = getattr(_DEFAULTS, field)
                problems.append(f"infill.{name}: {_show(value)} is not {wanted}; using {_show(default)}")
    return Settings(**values), problems


def _number(low: float, high: float, kind: type | tuple[type, ...] = int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in words), " or ".join(words)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _show(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (lambda value: isinstance(value, str) and bool(value.strip()), "a model name or folder"),
    "device": (
        lambda value: isinstance(value, str) and bool(_DEVICE.fullmatch(value)),
        "one of auto, cpu, cuda, cuda:N, xpu, mps",
    ),
    "dtype": _one_of("auto", "float32", "bfloat16", "float16"),
    "quantization": _one_of("none", "int8", "int4", "fp8"),
    "adapter": (lambda value: isinstance(value, str), "empty or the folder of a LoRA adapter"),
    "backend": _one_of("local"),
    "backendUrl": (lambda value: value == "", "empty (there is no remote backend yet)"),
    "maxHoleTokens": (_number(1, 256), "a whole number from 1 to 256"),
    "deadlineMs": (_number(1, 600_000), "a whole number of milliseconds from 1 to 600000"),
    "confidenceThreshold": (_number(0, 1, (int, float)), "a number from 0 to 1"),
    "languages": (_names, "a list of language ids"),
    "exclude": (_names, "a list of globs"),
    "idleUnloadMinutes": (_number(0, 10_000, (int, float)), "a number of minutes from 0 to 10000"),
    "logLevel": _one_of("error", "warning", "info", "debug", "trace"),
}
_DEFAULTS = Settings()
_FIELDS = {re.sub(r"_(\w)", lambda m: m[1].upper(), field.name): field.name for field in fields(Settings)}
