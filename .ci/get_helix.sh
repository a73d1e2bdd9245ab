#!/usr/bin/env bash
# Unpacks Helix 25 into a folder and leaves the system as it is.
#   .ci/get_helix.sh FOLDER    ->  FOLDER/bin/hx
set -euo pipefail
target=$(realpath -m "${1:?usage: get_helix.sh FOLDER}")
if "$target/bin/hx" --version 2>/dev/null; then
    exit 0
fi
"$(dirname "$0")/unpack.sh" "$target" hx
mkdir -p "$target/bin"
cat >"$target/bin/hx" <<'EOC'
#!/bin/sh
at=$(dirname "$(dirname "$(readlink -f "$0")")")
export HELIX_RUNTIME="$at/root/usr/lib/hx/runtime"
[ -d "$HELIX_RUNTIME" ] || export HELIX_RUNTIME="$at/root/usr/share/hx/runtime"
exec "$at/loader" usr/lib/hx/hx "$@"
EOC
chmod 755 "$target/bin/hx"
"$target/bin/hx" --version
