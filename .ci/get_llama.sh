#!/usr/bin/env bash
# Builds llama.cpp's server, from the source that llama-cpp-python has on the Python package index, and makes a tiny
# random model for it; for the tests in tests/real_llama. Some ten minutes on two cores. Needs cmake, ninja, g++,
# python3 with venv, and the index.
#   .ci/get_llama.sh FOLDER    ->  FOLDER/llama-server, FOLDER/tiny.gguf, FOLDER/plain.gguf
set -euo pipefail
target=$(realpath -m "${1:?usage: get_llama.sh FOLDER}")
version=0.3.36
root=$(dirname "$(readlink -f "$0")")/..

if ! "$target/llama-server" --version 2>/dev/null; then
    rm -rf "$target"
    python3 -m venv "$target/env"
    "$target/env/bin/pip" install --quiet gguf scikit-build-core
    "$target/env/bin/pip" download --quiet --no-deps --no-binary :all: --no-build-isolation \
        --dest "$target" "llama-cpp-python==$version"
    tar xzf "$target"/llama_cpp_python-*.tar.gz -C "$target"
    cmake -S "$target"/llama_cpp_python-*/vendor/llama.cpp -B "$target/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF \
        -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF >"$target/build.log"
    cmake --build "$target/build" --target llama-server >>"$target/build.log"
    cp "$target/build/bin/llama-server" "$target"
    rm -rf "$target/build" "$target"/llama_cpp_python-*
fi
for kind in tiny plain; do
    "$target/env/bin/python" "$root/tests/real_llama/make_gguf.py" "$kind" \
        "$root/model_runtime/embedded/tokenizer.json" "$target/$kind.gguf"
done
