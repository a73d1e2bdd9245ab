#!/usr/bin/env bash
# Unpacks luacheck into a folder and leaves the system as it is.
#   .ci/get_luacheck.sh FOLDER    ->  FOLDER/bin/luacheck
set -euo pipefail
target=$(realpath -m "${1:?usage: get_luacheck.sh FOLDER}")
if "$target/bin/luacheck" --version >/dev/null 2>&1; then
    exit 0
fi
"$(dirname "$0")/unpack.sh" "$target" lua-check lua5.1
mkdir -p "$target/bin"
cat >"$target/bin/luacheck" <<'EOC'
#!/bin/sh
at=$(dirname "$(dirname "$(readlink -f "$0")")")
for lib in "$at"/root/usr/lib/*-linux-gnu; do break; done
share=$at/root/usr/share/lua/5.1
export LUA_PATH="$share/?.lua;$share/?/init.lua" LUA_CPATH="$lib/lua/5.1/?.so"
exec "$at/loader" usr/bin/lua5.1 "$at/root/usr/bin/luacheck" "$@"
EOC
chmod 755 "$target/bin/luacheck"
"$target/bin/luacheck" --version | head -1
