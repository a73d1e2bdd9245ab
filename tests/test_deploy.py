"""What `deploy/` has vLLM started with: the same everywhere, and what the worker needs.

The files were validated against the published schemas (compose-spec, Kubernetes 1.37, systemd-analyze); here
are the rules that a schema cannot know, and the keys that a slip of the pen would add.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import yaml

from model_runtime.prompting import profiles
from model_runtime.remote import wire
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
KEYS = {  # allowed at each place; what is not listed has no rule
    "compose": {"name", "services", "volumes"},
    "service": {
        "image", "restart", "ipc", "ports", "environment", "volumes", "command", "deploy", "healthcheck",
    },
    "unit": {"Unit", "Service", "Install"},
    "container": {
        "name", "image", "args", "env", "ports", "resources", "startupProbe", "readinessProbe",
        "livenessProbe", "volumeMounts",
    },
}  # fmt: skip


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def kubernetes() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return {each["kind"]: each for each in found}


def unit() -> dict[str, dict[str, list[str]]]:
    """Sections and their settings, in order; a line may go on with a backslash."""
    sections: dict[str, dict[str, list[str]]] = {}
    text = (DEPLOY / "infill-vllm.service").read_text().replace("\\\n", " ")
    section: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif not line.startswith("#"):
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return sections


def container() -> dict[str, Any]:
    (found,) = kubernetes()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    return found


def flags(arguments: list[str]) -> dict[str, str]:
    return dict(each.removeprefix("--").partition("=")[::2] for each in arguments if each.startswith("--"))


def commands() -> dict[str, dict[str, str]]:
    (started,) = unit()["Service"]["ExecStart"]
    words = shlex.split(started)
    of_unit = flags(words[3:]) | {"model": words[2]}
    assert words[1] == "serve"
    return {
        "compose": flags(compose()["services"]["vllm"]["command"]),
        "kubernetes": flags(container()["args"]),
        "systemd": {name: value for name, value in of_unit.items() if name not in ("host", "port")},
    }


def test_vllm_is_started_alike_everywhere() -> None:
    found = commands()
    default = re.fullmatch(r"\$\{MODEL:-(.+)\}", found["compose"]["model"])
    assert default
    found["compose"]["model"] = default[1]
    assert found["compose"] == found["kubernetes"] == found["systemd"]


@pytest.mark.parametrize("where", ["compose", "kubernetes", "systemd"])
def test_it_serves_what_the_worker_asks_for(where: str) -> None:
    given = commands()[where]
    profile = profiles.of_chat(generation={}, canvas=256, bos=2, pad=0, special=frozenset())
    assert json.loads(given["diffusion-config"])["canvas_length"] >= max(256, profile.canvas)
    assert int(given["max-logprobs"]) >= wire.TOP
    assert int(given["max-model-len"]) >= profile.context + profile.context_step + profile.canvas
    assert given["served-model-name"] == "google/diffusiongemma-26B-A4B-it"
    assert given["generation-config"] == "vllm"
    assert "enable-prefix-caching" in given


def test_the_key_is_on_no_command_line_and_in_no_file() -> None:
    for file in DEPLOY.iterdir():
        assert not re.search(r"--api-key|(KEY|TOKEN)=[A-Za-z0-9]{6}", file.read_text()), file
    assert "VLLM_API_KEY" in compose()["services"]["vllm"]["environment"]
    named = {each["name"]: each for each in container()["env"]}
    assert "secretKeyRef" in named["VLLM_API_KEY"]["valueFrom"]
    assert unit()["Service"]["EnvironmentFile"]


def test_nobody_but_this_machine_is_served_unless_told_to() -> None:
    (port,) = compose()["services"]["vllm"]["ports"]
    assert port.startswith("${BIND:-127.0.0.1}:")
    assert "--host=127.0.0.1" in unit()["Service"]["ExecStart"][0]


def test_nothing_is_misspelt() -> None:
    file = compose()
    assert set(file) == KEYS["compose"]
    assert set(file["services"]["vllm"]) == KEYS["service"]
    assert set(unit()) == KEYS["unit"]
    assert set(container()) == KEYS["container"]
    used = {each.partition(":")[0] for each in file["services"]["vllm"]["volumes"]}
    assert used == set(file["volumes"])
    given = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked == set(given)


def test_kubernetes_parts_find_each_other() -> None:
    found = kubernetes()
    spec = found["StatefulSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert spec["serviceName"] == found["Service"]["metadata"]["name"]
    ports = {each["name"] for each in container()["ports"]}
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} | {found["Service"]["spec"]["ports"][0]["targetPort"]} == ports
    mounted = {each["name"] for each in container()["volumeMounts"]}
    volumes = {each["name"] for each in spec["template"]["spec"]["volumes"]}
    assert mounted == volumes | {each["metadata"]["name"] for each in spec["volumeClaimTemplates"]}
