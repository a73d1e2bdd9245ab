#!/usr/bin/env bash
# Installs the wheel that the VS Code extension carries into an empty environment and runs README's first command
# there without a network.
#   .ci/check_wheel.sh [PYTHON]    PYTHON (.venv/bin/python) has PyTorch
# First as docs/install.md says for a machine without a model: with requirements-remote.txt, really installed. There the
# command has to say what is missing. Then the large libraries come from PYTHON's environment by a path file, to spare
# downloading them again; infill-ls itself stays the wheel's, as path files inside of a path file do not count.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
python=$(realpath -s "${1:-.venv/bin/python}")
wheel=$(realpath editor-clients/vscode/server/infill_ls-*.whl)
work=$(mktemp -d)
export INFILL_LS_RUNTIME_DIR=$work/run
mkdir -m 700 "$INFILL_LS_RUNTIME_DIR"
trap '"$work/env/bin/infill-ls" worker stop >"$work/stopped" 2>&1 || true; rm -rf "$work"' EXIT

"$python" -m venv "$work/env"
"$work/env/bin/pip" install --quiet -c constraints.txt -r requirements-remote.txt
"$work/env/bin/pip" install --quiet --no-deps "$wheel"
command=$(grep -om1 'infill-ls complete examples/[^`]*' README.md)
cp -r examples "$work"
cd "$work" # no module of the checkout is in reach
packages=$(echo env/lib/python3*/site-packages)
cat >"$packages/offline.py" <<'EOC'
import socket

def connect(self, address, local=socket.socket.connect):
    if self.family != socket.AF_UNIX:
        raise OSError("there is no network here")
    return local(self, address)

socket.socket.connect = connect
EOC
echo "import offline" >"$packages/offline.pth" # holds for the worker, too
(env/bin/python -c 'import socket; socket.create_connection(("127.0.0.1", 9))' 2>&1 || true) | grep -q "no network here"

echo "without PyTorch: $command"
if said=$(env/bin/$command 2>&1); then echo "it should have failed: $said" && exit 1; fi
tail -1 <<<"$said"
grep -q 'needs torch, .* run `.*/env/bin/python.* -m pip install torch' <<<"$said"
env/bin/infill-ls worker stop

"$python" -c 'import site; print(site.getsitepackages()[0])' >"$packages/large.pth"
echo "with PyTorch: $command"
env/bin/python -c 'import lsp_server, sys; assert lsp_server.__file__.startswith(sys.prefix), lsp_server.__file__'
env/bin/$command
env/bin/infill-ls worker stop
