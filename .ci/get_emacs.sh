#!/usr/bin/env bash
# Unpacks Emacs 30 with lsp-mode into a folder and leaves the system as it is.
#   .ci/get_emacs.sh FOLDER    ->  FOLDER/bin/emacs
set -euo pipefail
target=$(realpath -m "${1:?usage: get_emacs.sh FOLDER}")
if "$target/bin/emacs" --version 2>/dev/null | head -1; then
    exit 0
fi
"$(dirname "$0")/unpack.sh" "$target" emacs-nox elpa-lsp-mode
mkdir -p "$target/bin"
cat >"$target/bin/emacs" <<'EOC'
#!/bin/sh
at=$(dirname "$(dirname "$(readlink -f "$0")")")
for share in "$at"/root/usr/share/emacs/[0-9]*; do break; done
for dump in "$at"/root/usr/libexec/emacs/*/*/emacs-*.pdmp; do break; done
packages=$(ls -d "$at"/root/usr/share/emacs/site-lisp/elpa-src/*/ | tr '\n' ':')
export EMACSDATA="$share/etc" EMACSDOC="$share/etc" EMACSPATH="${dump%/*}"
export EMACSLOADPATH="$packages$(find "$share/lisp" -type d | tr '\n' ':')"
export TERMINFO_DIRS="$at/root/usr/share/terminfo:$at/root/usr/lib/terminfo:/lib/terminfo:/usr/share/terminfo"
# Native code would be looked for, and compiled, elsewhere.
exec "$at/loader" usr/bin/emacs-nox --dump-file="$dump" --eval '(setq native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil)' "$@"
EOC
chmod 755 "$target/bin/emacs"
"$target/bin/emacs" --version | head -1
