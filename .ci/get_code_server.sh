#!/usr/bin/env bash
# Puts a VS Code that runs in a browser into a folder and leaves the system as it is.
#   .ci/get_code_server.sh FOLDER    ->  FOLDER/node24, FOLDER/cs/..., FOLDER/pw/...
# code-server (VS Code's web workbench with a remote extension host), the Node 24 that it needs and
# playwright-core, which drives the browser: all of them npm packages. No install script runs and nothing
# is compiled; code-server does without what that leaves out. Does nothing when FOLDER holds these versions.
# Needs npm. The browser is the system's (`chromium` of Debian).
set -euo pipefail

target=$(realpath -m "${1:?usage: get_code_server.sh FOLDER}")
code_server=4.139.1 node=24.21.0 playwright=1.65.1
wanted="code-server $code_server, node $node, playwright-core $playwright"

if [[ -f $target/versions && $(<"$target/versions") == "$wanted" ]]; then
    echo "already there: $wanted"
    exit 0
fi

case $(uname -sm) in
"Linux x86_64") platform=linux-x64 ;;
"Linux aarch64") platform=linux-arm64 ;;
*) echo "get_code_server.sh knows no Node package for $(uname -sm)" >&2 && exit 1 ;;
esac

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT

add() { # add FOLDER PACKAGE...: installed there, without scripts
    mkdir -p "$work/$1"
    echo '{"private": true}' >"$work/$1/package.json"
    npm --prefix "$work/$1" install --no-save --no-audit --no-fund --ignore-scripts --force --loglevel=error "${@:2}"
}
add node "node-$platform@$node"
add pw "playwright-core@$playwright"
add cs "code-server@$code_server"
# VS Code's own dependencies are a second tree, which code-server's install script would have filled.
vscode=$work/cs/node_modules/code-server/lib/vscode
npm --prefix "$vscode" install --omit=dev --no-audit --no-fund --ignore-scripts --force --loglevel=error
rm -rf "$vscode"/node_modules/@github/copilot* # over 100 MB that only the built-in agent uses

ln -s "node/node_modules/node-$platform/bin/node" "$work/node24"
"$work/node24" --version
env HOME="$work/home" XDG_CONFIG_HOME= XDG_DATA_HOME= "$work/node24" "$work/cs/node_modules/code-server/out/node/entry.js" --version
rm -rf "$work/home"
echo "$wanted" >"$work/versions"
chmod 755 "$work"
rm -rf "$target"
mv "$work" "$target"
trap - EXIT
