"""Tests mirror the packages: a module's tests are in the file of its name, or where it says here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.test_layering import IMPORTS, MODULES, imports_of, own_module

TESTS = ROOT / "tests"

# Modules without a test file of their own -> the file whose tests run them.
ELSEWHERE = {
    "lsp_server.text.document": "lsp_server/text/test_buffer.py",
    "lsp_server.infilling.single_hole": "lsp_server/infilling/test_pipeline.py",
    "lsp_server.worker_client.health": "lsp_server/worker_client/test_client.py",
    "lsp_server.worker_client.launch": "lsp_server/worker_client/test_client.py",
    "lsp_server.actions.action_request": "lsp_server/actions/test_rewrite.py",
    "lsp_server.next_edit.evidence": "lsp_server/next_edit/test_repeats.py",
    "lsp_server.next_edit.lanes": "lsp_server/handlers/test_next_edits.py",
    "lsp_server.next_edit.rules": "lsp_server/next_edit/test_repeats.py",
    "lsp_server.text.calls": "lsp_server/next_edit/test_signatures.py",
    "lsp_server.text.file_bindings": "lsp_server/next_edit/test_renames.py",
    "lsp_server.cli.options": "lsp_server/cli/test_main.py",
    "lsp_server.doctor.finding": "lsp_server/doctor/test_weights.py",
    "lsp_server.handlers.language_server": "lsp_server/handlers/test_lifecycle.py",
    "model_runtime.daemon.lifecycle": "model_runtime/daemon/test_serve.py",
    "model_runtime.daemon.request": "model_runtime/daemon/test_request_queue.py",
    "model_runtime.remote.answer": "model_runtime/remote/test_texts.py",
    "model_runtime.remote.loading": "model_runtime/remote/test_vllm.py",
    "model_runtime.remote.check": "model_runtime/remote/test_vllm_gemma.py",
    "model_runtime.backends": "lsp_server/worker_client/test_client.py",
    "model_runtime.terminal": "model_runtime/bench/test_main.py",
    "model_runtime.bench.chart": "model_runtime/bench/test_report.py",
    "model_runtime.bench.runs": "model_runtime/bench/test_race.py",
    "model_runtime.bench.machine": "model_runtime/bench/test_main.py",
    "model_runtime.retrieval.composer": "model_runtime/retrieval/test_ngram.py",
    "model_runtime.retrieval.mixture": "model_runtime/retrieval/test_ngram.py",
    "model_runtime.training.adapter_batches": "model_runtime/training/test_lora.py",
    "model_runtime.training.canvases": "model_runtime/training/test_batches.py",
    "model_runtime.training.documents": "model_runtime/training/test_batches.py",
    "model_runtime.training.siblings": "model_runtime/training/test_batches.py",
    "model_runtime.training.source": "model_runtime/training/test_loader.py",
    "model_runtime.training.export": "model_runtime/training/test_loop.py",
    "model_runtime.training.geometry": "model_runtime/training/test_loop.py",
    "model_runtime.baselines.texts_ranked": "model_runtime/baselines/test_registry.py",
    "evaluation.contenders": "evaluation/test_answers.py",
    "evaluation.selection": "evaluation/test_main.py",
    "evaluation.chart": "evaluation/test_main.py",
    "evaluation.jail": "evaluation/test_sandbox.py",
    "model_runtime.diffusion.interface": "model_runtime/local/test_denoiser.py",
    "model_runtime.diffusion.results": "model_runtime/daemon/test_scheduler.py",
    "model_runtime.loading.merging": "model_runtime/models/test_export.py",
    "model_runtime.training.served": "model_runtime/training/test_loop.py",
    "model_runtime.network.compilation": "model_runtime/inference/test_warm_up.py",
    "model_runtime.network.layers": "model_runtime/network/test_modules.py",
    "model_runtime.network.configs": "model_runtime/local/test_denoiser.py",
    "model_runtime.network.forward": "model_runtime/local/test_denoiser.py",
    "model_runtime.network.process_memory": "e2e/test_worker_memory.py",
}

# Started by their names, in a process of their own: no import leads there.
PROGRAMS = {"model_runtime.backends", "evaluation.jail"}

_DOTTED = re.compile(r"\b(?:lsp_server|model_runtime|evaluation|tests|benchmarks)(?:\.\w+)+")
_NEEDED: dict[str, set[str]] = {}
for _found in IMPORTS:
    _NEEDED.setdefault(_found.importer, set()).add(own_module(_found.target) or "")


def of_its_own(module: str) -> Path:
    *packages, name = module.split(".")
    return TESTS.joinpath(*packages) / f"test_{name}.py"


def reached(test: Path) -> set[str]:
    """The modules that a test file imports or names, and all that these import."""
    waiting, seen = [test], set()
    while waiting:
        path = waiting.pop()
        text = path.read_text("utf-8")
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        named = {found.target for found in imports_of(module, text)} | set(_DOTTED.findall(text))
        for target in named:
            parts = target.split(".")
            for end in range(len(parts), 0, -1):
                name = ".".join(parts[:end])
                support = ROOT.joinpath(*parts[:end]).with_suffix(".py")
                if name in MODULES or name + ".__main__" in MODULES:
                    seen |= {name, name + ".__main__"} & set(MODULES)
                elif support.is_file() and name not in seen:
                    seen.add(name)
                    waiting.append(support)
                else:
                    continue
                break
    queue = list(seen)
    while queue:
        for needed in _NEEDED.get(queue.pop(), set()) - seen - {""}:
            seen.add(needed)
            queue.append(needed)
    return seen


def test_every_module_has_tests() -> None:
    modules = [name for name, path in MODULES.items() if path.stem not in ("__init__", "__main__")]
    without = sorted(name for name in modules if not of_its_own(name).exists())
    assert without == sorted(ELSEWHERE)


@pytest.mark.parametrize("module", ELSEWHERE)
def test_it_is_run_where_it_says(module: str) -> None:
    test = TESTS / ELSEWHERE[module]
    assert test.is_file()
    assert module in PROGRAMS or module in reached(test)
