"""Raw client options -> (Settings, problems).

A client may send anything; Settings holds only values that work. A bad value is named in `problems`,
one line each for the user, and its default is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lsp_server.config.file_filter import by_name, path_of
from lsp_server.text.document import Refusal, Snapshot
from lsp_server.text.languages import canonical
from model_runtime.protocol import Choice

_ADDRESS = r" *https?://[^\s/@?#,]+(/[^\s@?#,]*)? *"
_ADDRESSES = re.compile(rf"({_ADDRESS}(,{_ADDRESS})*)?")  # no user, password or query: they would be shown
SERVED_ADAPTER = (  # what to do instead of setting infill.adapter
    "unset it, have the server load it (vLLM: --enable-lora --lora-modules NAME=FOLDER) and set infill.model "
    "to NAME"
)
_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d+)?")
INSTRUCT = "instruct"  # the format of a region model that follows instructions


# LSP language ids. The embedded model writes Python; in the others lines are composed from the code of the
# project, and at least 60 % of what is shown was exactly right on test projects.
LANGUAGES = ("python", "typescript", "go", "rust", "java", "c", "cpp")


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings. A client's names are in camel case: `infill.idleUnloadMinutes`."""

    enable: bool = True  # suggestions come unasked
    model: str = "embedded"  # or a Hugging Face id, or a folder
    device: str = "auto"
    dtype: str = "auto"
    quantization: str = "none"
    passes: str = "kept"
    adapter: str = ""  # a folder
    backend: str = "local"  # or a server's kind: vllm, openai
    backend_url: str = ""  # addresses, comma separated
    max_hole_tokens: int = 64
    deadline_ms: int | None = 1500  # counted from when the worker receives a request; None: no limit
    confidence_threshold: float = 0.35  # nothing is offered below it; from the embedded model's calibration
    languages: tuple[str, ...] = LANGUAGES
    exclude: tuple[str, ...] = ()  # globs over the whole path; * crosses folders
    next_edit_enabled: bool = True
    next_edit_format: str = "none"  # of a model that rewrites regions: sweep, zeta-2, ... or instruct
    idle_unload_minutes: float = 10
    log_level: str = "info"

    @property
    def choice(self) -> Choice:
        """The settings that the worker starts with."""
        return Choice(
            model=self.model,
            device=self.device,
            dtype=self.dtype,
            quantization=self.quantization,
            passes=self.passes,
            adapter=self.adapter,
            backend=self.backend,
            url=self.backend_url,
        )

    @property
    def reads_context(self) -> bool:
        """Whether the model may read what goes along with a request, as one that follows instructions does.
        The embedded model is shown text of the document only: the rest is searched for drafts."""
        return self.backend == "openai" or self.model != "embedded"

    @property
    def rewrites_regions(self) -> bool:
        """Whether a model rewrites the lines around a place, as far as is known before it is loaded."""
        if self.next_edit_format == INSTRUCT:
            return self.backend == "openai" or self.model != "embedded"
        return self.next_edit_format != "none" and self.backend == "openai"

    def refusal(self, snapshot: Snapshot) -> Refusal | None:
        """Why this document is not to be completed; None if it is."""
        if canonical([snapshot.language]).isdisjoint(canonical(self.languages)):
            language = snapshot.language or "plain text"
            return Refusal("language", f"infill-ls is off for {language}: infill.languages does not name it")
        if reason := by_name(path_of(snapshot.uri), self.exclude):
            return Refusal("excluded", reason)
        return None


def resolve(raw: Any) -> tuple[Settings, list[str]]:
    """The settings of an `infill` section, and a line for each problem. A missing name or a null means the
    default."""
    if raw is None:
        return Settings(), []
    if not isinstance(raw, dict):
        return Settings(), [f"the infill settings must be an object, not {_show(raw)}; using the defaults"]
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in flat(raw).items():
        if name not in SETTINGS:
            problems.append(f"infill.{name}: there is no such setting")
        elif value is not None:
            field, check = _FIELDS[name], SETTINGS[name].check
            if check.accepts(value):
                values[field] = tuple(value) if isinstance(value, list) else value
            else:
                default = getattr(_DEFAULTS, field)
                problems.append(
                    f"infill.{name}: {_show(value)} is not {check.wanted}; using {_show(default)}"
                )
    return Settings(**values), problems


def in_folder(settings: Settings, own: Settings) -> Settings:
    """The settings as they are in a folder that has some of its own."""
    return replace(settings, **{name: getattr(own, name) for name in _PER_FOLDER})


def without_effect(settings: Settings) -> list[str]:
    """A line for each setting that is valid but has no effect beside the others."""
    if settings.adapter and settings.backend != "local":
        return [f"infill.adapter: {_show(settings.adapter)} has no effect on a server; {SERVED_ADAPTER}"]
    if settings.next_edit_format != "none" and not settings.rewrites_regions:
        wanted, lacks = _show(settings.next_edit_format), "without infill.backend openai"
        if settings.next_edit_format == INSTRUCT:
            lacks = "with the embedded model, which follows no instructions"
        return [f"infill.nextEdit.format: {wanted} has no effect {lacks}"]
    return []


@dataclass(frozen=True, slots=True)
class Check:
    """Which values a setting takes: as a test, in words for the user, and as JSON schema for manifests."""

    accepts: Callable[[Any], bool]
    wanted: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    check: Check
    description: str  # one line of Markdown, for docs/settings.md and the manifests of clients
    personal: bool = False  # a client must never take it from a workspace: see `workspace_trust`
    per_folder: bool = False  # each folder of a workspace may have a value of its own


def _number(low: float, high: float, unit: str = "", whole: bool = True) -> Check:
    kind = int if whole else (int, float)
    return Check(
        lambda value: isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high,
        f"a {'whole ' if whole else ''}number {f'of {unit} ' if unit else ''}from {low} to {high}",
        {"type": "integer" if whole else "number", "minimum": low, "maximum": high},
    )


def _one_of(*words: str) -> Check:
    return Check(lambda value: value in words, " or ".join(words), {"type": "string", "enum": list(words)})


def _switch() -> Check:
    return Check(lambda value: isinstance(value, bool), "true or false", {"type": "boolean"})


def _text(accepts: Callable[[str], Any], wanted: str, **schema: Any) -> Check:
    return Check(
        lambda value: isinstance(value, str) and bool(accepts(value)), wanted, {"type": "string", **schema}
    )


def _list_of(what: str) -> Check:
    return Check(
        lambda value: isinstance(value, list) and all(isinstance(name, str) and name for name in value),
        f"a list of {what}",
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    )


def _show(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."


SETTINGS: dict[str, Setting] = {
    "enable": Setting(
        _switch(), "suggest while you type; without it, only where you ask. Actions and commands always work"
    ),
    "model": Setting(
        _text(str.strip, "a model name or folder"),
        "the model that comes with the package, a Hugging Face id that `infill-ls models download` has "
        "fetched, or a folder with a checkpoint; docs/models.md has more",
        personal=True,
    ),
    "device": Setting(
        _text(
            _DEVICE.fullmatch, "one of auto, cpu, cuda, cuda:N, xpu, mps", pattern=f"^({_DEVICE.pattern})$"
        ),
        "`auto`, `cpu`, `cuda`, `cuda:N`, `xpu`, `mps`",
    ),
    "dtype": Setting(
        _one_of("auto", "float32", "bfloat16", "float16", "int8"),
        "what the model computes in; `auto` is bfloat16, for a small model on a CPU float32, and for the "
        "embedded model int8 where the CPU is faster at it (x86 from AVX2 on); int8 is for that model alone",
    ),
    "quantization": Setting(
        _one_of("none", "int8", "int4", "fp8"),
        "pack the weights while they are loaded; docs/models.md says what fits where",
    ),
    "passes": Setting(
        _one_of("kept", "exact"),
        "for DreamOn, Dream-Coder, Open-dCoder: `kept`, a step computes the hole and keeps what is around "
        "it, and a fill stops once it is decided; `exact`, each step computes everything, as the model's "
        "authors do",
    ),
    "adapter": Setting(
        _text(lambda value: True, "empty or the folder of a LoRA adapter"),
        "folder of a LoRA adapter in PEFT's format for this model; needs the library `peft`",
        personal=True,
    ),
    "backend": Setting(
        _one_of("local", "vllm", "openai"),
        "who computes: `local` this machine, `vllm` a vLLM server that denoises, `openai` any "
        "OpenAI-compatible server; docs/remote.md has more",
        personal=True,
    ),
    "backendUrl": Setting(
        _text(
            _ADDRESSES.fullmatch,
            "empty or addresses like https://gpu.example.com:8000, comma separated and without a password",
            pattern=f"^({_ADDRESSES.pattern})$",
        ),
        "the server's address, or several, comma separated, such as `https://gpu.example.com:8000`; the key "
        "is in the environment variable `INFILL_LS_API_KEY`",
        personal=True,
    ),
    "maxHoleTokens": Setting(
        _number(1, 256), "most tokens of one suggestion; a hole's own limit is lower", per_folder=True
    ),
    "deadlineMs": Setting(
        _number(1, 600_000, "milliseconds"), "after this long the best so far is taken", per_folder=True
    ),
    "confidenceThreshold": Setting(
        _number(0, 1, whole=False),
        "what is less sure than this is not shown by itself; asked for explicitly, everything is, but a fix "
        "or a docstring does not replace what is there",
        per_folder=True,
    ),
    "languages": Setting(
        _list_of("language ids"),
        "LSP language ids that get suggestions; the embedded model writes Python, in the others lines are "
        "composed from the code around them",
        per_folder=True,
    ),
    "exclude": Setting(
        _list_of("globs"),
        "globs over the whole path; files that match get no suggestions and are never read for others, "
        "`*` crosses folders",
        per_folder=True,
    ),
    "nextEdit.enabled": Setting(
        _switch(),
        "after an edit, suggest the one that follows from it elsewhere, in clients that ask for next edits",
        per_folder=True,
    ),
    "nextEdit.format": Setting(
        _one_of("none", "sweep", "zeta-2", "zeta-2.1", "mercury", INSTRUCT),
        "have a model rewrite the lines around the cursor where no rule has a next edit, and around a "
        "problem that you ask to fix: `instruct` one that follows instructions, the others a model that was "
        "made for next edits, behind `infill.backend` `openai`; docs/remote.md has more",
        per_folder=True,
    ),
    "idleUnloadMinutes": Setting(
        _number(0, 10_000, "minutes", whole=False),
        "the model leaves memory when nobody has asked for this long, and the worker after twice that; "
        "0: never",
    ),
    "logLevel": Setting(
        _one_of("error", "warning", "info", "debug", "trace"),
        "`error`, `warning`, `info`, `debug`, `trace`; only `trace` writes text of yours into the log",
    ),
}
_DEFAULTS = Settings()


def _underscored(match: re.Match[str]) -> str:
    return "_" + (match[1] or "").lower()


_GROUPS = {name.partition(".")[0] for name in SETTINGS if "." in name}
_FIELDS = {name: re.sub(r"\.?([A-Z])|\.", _underscored, name) for name in SETTINGS}

_PER_FOLDER = [_FIELDS[name] for name, setting in SETTINGS.items() if setting.per_folder]


def flat(raw: dict[str, Any]) -> dict[str, Any]:
    """A section's values by their whole names: clients send a group as an object of its own."""
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _GROUPS and isinstance(value, dict):
            values |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            values[name] = value
    return values


def default_of(name: str) -> Any:
    """The default of a setting, given its client's name, as a JSON value."""
    value = getattr(_DEFAULTS, _FIELDS[name])
    return list(value) if isinstance(value, tuple) else value
