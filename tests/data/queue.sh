#!/usr/bin/env bash
# A queue of jobs, one file each.
set -euo pipefail

folder="${1:-jobs}"
limit=100

push() {
  local name="$1" priority="$2"
  if [ "$(count)" -ge "$limit" ]; then
    echo "more than $limit jobs" >&2
    return 1
  fi
  printf '%s\n' "$name" > "$folder/$priority-$name"
}

count() {
  find "$folder" -type f | wc -l
}

names() {
  for file in "$folder"/*; do
    basename "$file" | cut -d- -f2
  done
}

clear_all() {
  :
}

mkdir -p "$folder"
names
