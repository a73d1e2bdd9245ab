#!/usr/bin/env bash
# Unpacks a Neovim of at least 0.12 into a folder and leaves the system as it is.
#   .ci/get_nvim.sh FOLDER    ->  FOLDER/bin/nvim
# Does nothing when FOLDER holds a working one.
set -euo pipefail
target=$(realpath -m "${1:?usage: get_nvim.sh FOLDER}")
works() { "$target/bin/nvim" --version 2>/dev/null | head -1; }
if [[ -x $target/bin/nvim ]] && works >/dev/null; then
    echo "already there: $(works)"
    exit 0
fi
"$(dirname "$0")/unpack.sh" "$target" neovim
mkdir -p "$target/bin"
cat >"$target/bin/nvim" <<'EOC'
#!/bin/sh
at=$(dirname "$(dirname "$(readlink -f "$0")")")
export VIMRUNTIME="$at/root/usr/share/nvim/runtime"
exec "$at/loader" usr/bin/nvim "$@"
EOC
chmod 755 "$target/bin/nvim"
works
