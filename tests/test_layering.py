"""The layers of docs/architecture.md, checked on the import statements of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from lsp_server.text.languages import LANGUAGES
from tests.support.paths import ROOT

PACKAGES = ("lsp_server", "model_runtime", "evaluation")


@dataclass(frozen=True)
class Import:
    importer: str  # dotted module
    target: str  # dotted module or module attribute
    line: int
    on_load: bool  # runs when the importer is imported: not inside a function or TYPE_CHECKING

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def statements(body: list[ast.stmt], on_load: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement of a module, with whether it runs when the module is imported."""
    for node in body:
        yield node, on_load
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            for child in getattr(node, name, []):
                inner = on_load and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                if isinstance(node, ast.If) and name == "body" and is_type_checking(node.test):
                    inner = False
                if isinstance(child, ast.stmt):
                    yield from statements([child], inner)
                else:  # an exception handler or a match case
                    yield from statements(child.body, inner)


def imports_of(module: str, source: str, is_package: bool = False) -> list[Import]:
    found = []
    for node, on_load in statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base]).rstrip(".")
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(module, target, node.lineno, on_load) for target in targets]
    return found


IMPORTS = [
    found
    for module, path in MODULES.items()
    for found in imports_of(module, path.read_text("utf-8"), path.name == "__init__.py")
]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def own_module(target: str) -> str | None:
    """The project's module behind an import target (`from a.b import c` may name a module or not)."""
    if target in MODULES:
        return target
    parent = target.rpartition(".")[0]
    return parent if parent in MODULES else None


# The order of the packages, from the ground up: each may import what stands above it here, never what stands
# below. A module at a package's root counts as a package of its own.
ORDER = {
    "lsp_server": [
        *("child_process", "text", "config", "infilling", "worker_client", "context", "actions", "next_edit"),
        *("session", "handlers", "play", "doctor", "cli", "__main__"),
    ],
    "model_runtime": [
        *("protocol", "terminal", "diffusion", "prompting", "retrieval", "network", "local", "loading"),
        *(
            "inference",
            "daemon",
            "remote",
            "backends",
            "models",
            "training",
            "baselines",
            "bench",
            "__main__",
        ),
    ],
}


def floor(module: str) -> tuple[str, int] | None:
    """The top-level package of a module, and on which floor of it the module's package stands."""
    top, _, rest = module.partition(".")
    if top not in ORDER or not rest:
        return None
    return top, ORDER[top].index(rest.partition(".")[0])


# (what, importers it concerns, banned targets, importers that may)
RULES = [
    ("the protocol is the only bridge", ["lsp_server"], ["model_runtime"], []),
    ("the worker does not know the server", ["model_runtime"], ["lsp_server"], []),
    ("the evaluation is on top", ["lsp_server", "model_runtime"], ["evaluation"], []),
    ("the evaluation holds no tensors", ["evaluation"], ["torch", "safetensors"], []),
    ("the server holds no tensors", ["lsp_server"], ["torch", "transformers", "safetensors"], []),
    (
        "LSP types stay at the edge",
        list(PACKAGES),
        ["pygls", "lsprotocol"],
        ["lsp_server.handlers"],
    ),
    ("only the page listens", list(PACKAGES), ["websockets"], ["lsp_server.play"]),
    ("one module parses", list(PACKAGES), ["tree_sitter"], ["lsp_server.text.syntax"]),
    (
        "grammars",
        list(PACKAGES),
        sorted({language.grammar for language in LANGUAGES}),
        [],  # by name, when a document of the language is opened
    ),
    ("one module finds secrets", list(PACKAGES), ["detect_secrets"], ["lsp_server.context.secret_filter"]),
    ("one module says what is left out", list(PACKAGES), ["pathspec"], ["lsp_server.config.file_filter"]),
    (
        "transformers is for loading models",
        list(PACKAGES),
        ["transformers"],
        [
            "model_runtime.loading",
            "model_runtime.training",
            "model_runtime.network.configs",
            "model_runtime.network.moe",
            "model_runtime.prompting.chat_template",
            "model_runtime.bench.released",
        ],
    ),
    ("adapters", list(PACKAGES), ["peft"], ["model_runtime.loading.adapters", "model_runtime.training"]),
    (
        "one package speaks HTTP",
        list(PACKAGES),
        ["httpx2", "httpx", "requests", "urllib.request", "http.client", "aiohttp"],
        ["model_runtime.remote"],
    ),
    (
        "plots are for training and benchmarks",
        list(PACKAGES),
        ["matplotlib"],
        ["model_runtime.training", "model_runtime.bench.chart"],
    ),
]


@pytest.mark.parametrize(
    ("importers", "banned", "allowed"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES]
)
def test_layer(importers: list[str], banned: list[str], allowed: list[str]) -> None:
    broken = [
        str(found)
        for found in IMPORTS
        if within(found.importer, *importers)
        and within(found.target, *banned)
        and not within(found.importer, *allowed)
        and own_module(found.target) != "model_runtime.protocol"
    ]
    assert not broken


def test_nothing_that_runs_code_from_a_model_folder() -> None:
    """Training reads its own checkpoints; everything else reads safetensors and JSON only."""
    banned = ("trust_remote_code=True", "torch.load(", "use_safetensors=False")
    shipped = [path for name, path in MODULES.items() if not within(name, "model_runtime.training")]
    found = [(path.name, word) for path in shipped for word in banned if word in path.read_text("utf-8")]
    assert found == []
    pickles = [f for f in IMPORTS if within(f.target, "pickle", "dill", "joblib", "shelve", "marshal")]
    assert [found for found in pickles if not within(found.importer, "model_runtime.training")] == []


def test_packages_import_in_one_order() -> None:
    """Also inside functions and under TYPE_CHECKING: who needs a name from above stands on the wrong
    floor."""
    up = []
    for found in IMPORTS:
        here, there = floor(found.importer), floor(own_module(found.target) or "")
        if here and there and here[0] == there[0] and there[1] > here[1]:
            up.append(str(found))
    assert up == []


@pytest.mark.parametrize("top", ORDER)
def test_the_order_names_every_package(top: str) -> None:
    packages = {module.split(".")[1] for module in MODULES if module.startswith(top + ".")}
    assert packages == set(ORDER[top]) - {"embedded"}


def test_daemon_modules_load_without_torch() -> None:
    broken = [
        str(found)
        for found in IMPORTS
        if within(
            found.importer, "model_runtime.daemon", "model_runtime.protocol", "model_runtime.diffusion.faults"
        )
        and found.on_load
        and within(found.target, "torch", "transformers")
    ]
    assert not broken


def test_imports_have_one_direction() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        target = own_module(found.target)
        if target is not None and target != found.importer:
            graph[found.importer].add(target)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))
    assert set(order) == set(MODULES)


@pytest.mark.parametrize(
    "module",
    [
        "lsp_server.handlers.server",
        "lsp_server.cli.main",
        "model_runtime.protocol",
        "model_runtime.daemon.scheduler",
        "model_runtime.daemon.serve",
        "model_runtime.remote.loading",
        "model_runtime.remote.vllm",
        "model_runtime.loading.prompt_setup",
    ],
)
def test_importing_loads_no_tensors(module: str) -> None:
    """The server never holds torch; the worker opens its socket before it loads torch."""
    code = f"import sys, {module}\nprint(*({{'torch', 'transformers', 'safetensors'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


def test_the_server_does_not_load_what_its_reader_process_or_the_page_needs() -> None:
    banned = "{'detect_secrets', 'pathspec', 'websockets'}"
    code = (
        f"import sys, lsp_server.handlers.server, lsp_server.cli.main\nprint(*({banned} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn as nn", [("torch.nn", True)]),
        ("def f():\n    import torch", [("torch", False)]),
        ("async def f():\n    with g():\n        import torch", [("torch", False)]),
        ("try:\n    import torch\nexcept ImportError:\n    import numpy", [("torch", True), ("numpy", True)]),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import numpy", [("torch", False), ("numpy", True)]),
        ("class A:\n    import torch", [("torch", True)]),
        ("match x:\n    case 1:\n        import torch", [("torch", True)]),
        ("from . import hole", [("lsp_server.hole", True)]),
        ("from .hole import decide", [("lsp_server.hole.decide", True)]),
        ("from model_runtime import daemon", [("model_runtime.daemon", True)]),
    ],
)
def test_reading_imports(source: str, expected: list[tuple[str, bool]]) -> None:
    assert [(found.target, found.on_load) for found in imports_of("lsp_server.x", source)] == expected
