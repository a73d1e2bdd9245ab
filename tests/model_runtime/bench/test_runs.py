"""The benchmark's mechanics on tiny random models: fields and files, not speed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from lsp_server.cli import admin, main
from model_runtime.bench import __main__ as bench
from model_runtime.bench import cases, chart, released, report, steps
from model_runtime.bench.race import Outcome
from model_runtime.bench.runs import Run
from model_runtime.diffusion.interface import DenoiseError
from tests.support import tiny
from tests.support.paths import ROOT

PNG = b"\x89PNG\r\n\x1a\n"
WHERE = {"hardware": "a machine", "model": "m", "torch": "2", "transformers": "5", "date": "today"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_folder(tmp_path_factory.mktemp("model"))


def test_quick(folder: Path, tmp_path: Path) -> None:
    """The real command, as a user starts it."""
    files = tmp_path / "found.json", tmp_path / "found.png"
    options = ("--quick", "--repeat", "1", "--model", folder, "--json", files[0], "--chart", files[1])
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "bench", "--device", "cpu", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(files[0].read_text())
    for name in ("warm", "cold", "generate"):
        assert result[name].keys() >= {"p50_ms", "p90_ms", "ratio_to_generate", "tokens_per_s", "cache_bytes"}
        assert result[name]["p50_ms"] > 0
    assert result["generate"]["ratio_to_generate"] == 1
    assert result["generate"]["steps"] == 48  # random weights are never sure
    assert result.keys() >= {"hardware", "torch", "transformers", "commit", "date", "threads", "cases"}
    assert files[1].read_bytes().startswith(PNG)
    assert "engine, warm" in done.stdout
    assert "generate" in done.stdout
    assert "compile: skipped" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--repeat", "0"], 2, "'0' is not a whole number"),
        (["--repeat", "x"], 2, "'x' is not a whole number"),
        (["--json", "/no/such/folder/file"], 2, "cannot be written"),
        (["--chart", "/"], 2, "cannot be written"),
        (["--random-weights", "9b"], 2, "invalid choice"),
        (["--random-weights", "tiny", "--model", "embedded"], 2, "leave --model out"),
        (["--fast"], 2, "--fast"),
        (["--model", "/no/such/model"], 1, "no folder /no/such/model"),
        (["--device", "tpu"], 1, "'tpu' cannot be used"),
        (["--random-weights", "26b", "--device", "cpu"], 1, "63 GB free (50.5 GB of weights)"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], status: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--device" in arguments and "--random-weights" not in arguments:
        arguments = [*arguments, "--model", str(folder)]
    try:
        found: Any = bench.main(arguments)
    except SystemExit as exit:
        found = exit.code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("loading")]
    assert (found, out, len(lines)) == (status, "", 1), err
    assert said in lines[0]


def test_a_missing_matplotlib_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert bench.main(["--random-weights", "tiny", "--chart", str(tmp_path / "x.png")]) == 1
    assert capsys.readouterr().err.splitlines()[1:] == [
        "--chart needs matplotlib; pip install 'infill-ls[train]'"
    ]


def test_the_command_passes_everything_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[list[str]] = []

    def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        called.append(command[3:])
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(admin.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main.main, ["bench", "--quick", "--model", "./m", "--json", "a", "--repeat", "3"]
    )
    assert done.exit_code == 7
    assert called == [["--quick", f"--model={tmp_path}/m", "--repeat=3", f"--json={tmp_path}/a"]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few shapes, and no threads that wait for each other while other tests run."""
    monkeypatch.setattr(steps, "CANVASES", (48, 64))
    monkeypatch.setattr(steps, "BATCHES", (2, 1))
    monkeypatch.setattr(steps, "PREFIX", 96)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("small")
def test_random_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = tmp_path / "found.json", tmp_path / "found.png"
    options = ["--random-weights", "tiny", "--repeat", "2", "--device", "cpu"]
    assert bench.main([*options, "--json", str(files[0]), "--chart", str(files[1])]) == 0
    result = json.loads(files[0].read_text())
    assert [(one["batch"], one["canvas"]) for one in result["steps"]] == [(1, 48), (1, 64), (2, 48), (2, 64)]
    assert all(one["p50_ms"] > one["floor_ms"] > 0 for one in result["steps"])
    assert result["problems"] == []
    assert files[1].read_bytes().startswith(PNG)
    assert "x floor" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_shapes_that_fail_or_come_too_late_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    denoiser = steps.local_denoiser(released.random_model("tiny", torch.device("cpu")))
    late = steps.measure(denoiser, 1, lambda _: None, seconds=-1)
    assert (late["steps"], len(late["problems"])) == ([], 4)

    def fail(*_: object, **__: object) -> None:
        raise DenoiseError("out of memory")

    monkeypatch.setattr(denoiser, "denoise", fail)
    monkeypatch.setattr(steps, "_experts_touched", lambda *_: 1.0)
    assert steps.measure(denoiser, 1, lambda _: None)["problems"][0].endswith("out of memory")


def test_random_weights_are_tied_and_have_what_is_not_a_weight() -> None:
    model = released.random_model("tiny", torch.device("cpu"))
    text = model.config.text_config
    encoder, decoder = model.model.encoder.language_model, model.model.decoder
    assert encoder.layers[0].experts.down_proj is decoder.layers[0].experts.down_proj
    assert model.lm_head.weight is decoder.embed_tokens.weight
    assert decoder.embed_tokens.weight.dtype == torch.bfloat16
    assert decoder.embed_tokens.embed_scale == text.hidden_size**0.5
    assert decoder.rotary_emb.sliding_attention_inv_freq[0] == 1
    assert decoder.rotary_emb.sliding_attention_inv_freq[-1] < 1
    assert not any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])


def test_the_released_geometry() -> None:
    """The sizes that FP8 and memory tables are computed from."""
    with torch.device("meta"):
        model = released.DiffusionGemmaForBlockDiffusion(released.config(released.GEOMETRIES["26b"]))
    assert released.weight_bytes(model) == pytest.approx(2 * 25.251e9, rel=1e-4)
    kinds = model.config.text_config.layer_types
    assert [i for i, kind in enumerate(kinds) if kind == "full_attention"] == [5, 11, 17, 23, 29]


def test_the_gpu_script_runs_at_toy_size_with_torch_alone(tmp_path: Path) -> None:
    """A lent GPU machine has torch and transformers, and not the server's dependencies."""
    script = ROOT / "benchmarks" / "gpu.py"
    code = f"""
import sys, runpy
sys.modules.update(msgspec=None, platformdirs=None, pygls=None)
found = runpy.run_path({str(script)!r})
steps = found["steps"]
steps.CANVASES, steps.BATCHES, steps.PREFIX = (64,), (1,), 96
found["main"].__globals__.update(PREFIX=96, FULL_CANVAS=64, CANVAS_STEPS=2, ROUNDS=1)
sys.argv = ["gpu.py", "--toy", "--steps", "1", "--out", {str(tmp_path)!r}]
sys.exit(found["main"]())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["failed"] == {}
    assert result["fill"]["forwards"] == 8
    assert result["generate"]["tokens_per_s"] > 0
    assert result["fp8"]["failed"] == {}
    assert result["fp8"]["weights_bytes"] < 0.75 * result["weights_bytes"]
    assert (tmp_path / "gpu.png").read_bytes().startswith(PNG)


def test_places_are_the_same_each_time_and_keep_to_the_prefix() -> None:
    codec = tiny.tokens()
    for setting in (cases.BASE, cases.Setting(prefix=256), cases.Setting(hole=8)):
        found = list(cases.places(codec, setting, 4))
        assert found == list(cases.places(codec, setting, 4))
        for place in found:
            assert place.prefix.endswith("\n")
            assert 0.7 * setting.prefix < len(codec.encode(place.prefix)) < setting.prefix
            heads = [place.head(k) for k in range(cases.KEYSTROKES + 1)]
            assert all(b.startswith(a) and len(b) == len(a) + 1 for a, b in pairwise(heads))
            assert "\n" not in heads[-1]


def outcome(setting: cases.Setting, ms: float) -> Outcome:
    times = {cases.COLD: 2 * ms, cases.WARM: ms, cases.STOCK: 10 * ms}
    return Outcome(setting, setting, {name: [Run(t, 4, 1000)] * 3 for name, t in times.items()})


def test_statistics_table_and_chart(tmp_path: Path) -> None:
    outcomes = [outcome(setting, 10.0 * setting.candidates) for setting in cases.settings()]
    outcomes[1].notes.append("hole cut")
    result = report.as_json(outcomes, "static cache", WHERE)
    assert result["warm"]["ratio_to_generate"] == 10
    assert result["warm"]["tokens_per_s"] == 3200
    assert result["growth"]["candidates"]["warm"] == 8
    assert result["growth"]["hole"]["warm"] == 1
    assert "candidates from 1 to 8: engine, warm x8.00" in report.table(result)
    assert "note: hole cut" in report.table(result)
    chart.draw(result, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)
    json.dumps(result)


@pytest.mark.parametrize(("values", "expected"), [([5.0], 5.0), ([1.0, 3.0], 2.8), (list(range(11)), 9.0)])
def test_p90(values: list[float], expected: float) -> None:
    assert report.p90(values) == pytest.approx(expected)
