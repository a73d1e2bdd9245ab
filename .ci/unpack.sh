#!/usr/bin/env bash
# Unpacks packages of Debian unstable, with all they depend on, into FOLDER/root; the system stays as it is.
#   .ci/unpack.sh FOLDER PACKAGE...
# Takes them from the mirror that this machine's apt already uses. Their programs run through FOLDER/loader, with
# the libraries that came along. Needs apt-get and dpkg-deb, not root.
set -euo pipefail

target=$(realpath -m "${1:?usage: unpack.sh FOLDER PACKAGE...}")
shift
suite=${DEBIAN_SUITE:-sid}

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial,preferences.d} "$work"/root
: >"$work/apt/status" # an empty status file: apt fetches the whole closure, libc included

arch=$(dpkg --print-architecture)
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' |
    grep -v security | head -1)
: "${mirror:?apt has no Debian mirror configured}"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] ${mirror%/} $suite main" >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<EOC
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
EOC
export APT_CONFIG="$work/apt/apt.conf"
apt-get -qq update
apt-get -qq -y --download-only -o Debug::NoLocking=1 install "$@"
for package in "$work"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
rm -rf "$work/apt"

# Loader and libraries are found relative to the script, so the folder can be moved.
cat >"$work/loader" <<'EOC'
#!/bin/sh
# loader PROGRAM ARGUMENT...: runs a program of root/ by its path from there
root=$(dirname "$(readlink -f "$0")")/root
for lib in "$root"/usr/lib/*-linux-gnu; do break; done
for loader in "$lib"/ld-linux-*.so.*; do break; done
program=$root/$1
shift
exec "$loader" --argv0 "$program" --library-path "$lib:$root/usr/lib:$lib/nvim" "$program" "$@"
EOC
chmod 755 "$work" "$work/loader"
rm -rf "$target"
mv "$work" "$target"
trap - EXIT
