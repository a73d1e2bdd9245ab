#!/usr/bin/env bash
# Unpacks a Neovim of at least 0.12 into a folder and leaves the system as it is.
#   .ci/get_nvim.sh FOLDER    ->  FOLDER/bin/nvim
# Takes Debian unstable's package with all it depends on, from the mirror that this machine's
# apt already uses, and runs it through its own dynamic loader. Does nothing when FOLDER holds
# a working one. Needs apt-get and dpkg-deb, not root.
set -euo pipefail

target=$(realpath -m "${1:?usage: get_nvim.sh FOLDER}")
suite=${NVIM_SUITE:-sid}

works() { "$1/bin/nvim" --version 2>/dev/null | head -1; }

if [[ -x $target/bin/nvim ]] && works "$target" >/dev/null; then
    echo "already there: $(works "$target")"
    exit 0
fi

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial,preferences.d} "$work"/root "$work"/bin
: >"$work/apt/status" # an empty status file: apt fetches the whole closure, libc included

arch=$(dpkg --print-architecture)
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' |
    grep -v security | head -1)
: "${mirror:?apt has no Debian mirror configured}"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] ${mirror%/} $suite main" >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/apt/preferences.d";
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
export APT_CONFIG="$work/apt/apt.conf"
apt-get -qq update
apt-get -qq -y --download-only -o Debug::NoLocking=1 install neovim
for package in "$work"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
rm -rf "$work/apt"

# The loader and the libraries are found relative to the wrapper, so the folder can be moved.
cat >"$work/bin/nvim" <<'EOF'
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/root
for lib in "$root"/usr/lib/*-linux-gnu; do break; done
for loader in "$lib"/ld-linux-*.so.*; do break; done
export VIMRUNTIME="$root/usr/share/nvim/runtime"
exec "$loader" --argv0 "$0" --library-path "$lib:$root/usr/lib:$lib/nvim" "$root/usr/bin/nvim" "$@"
EOF
chmod 755 "$work" "$work/bin/nvim"
works "$work"

rm -rf "$target"
mv "$work" "$target"
trap - EXIT
