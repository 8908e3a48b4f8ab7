#!/usr/bin/env bash
# Runs every measurement of tests/bench, or those named (scripts/bench.sh codec text). They print figures and judge nothing.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    mapfile -t names < <(find tests/bench -maxdepth 1 -name '[a-z]*.py' -printf '%f\n' | sed 's/\.py$//' | sort)
fi
for name in "${names[@]}"; do
    printf '\n== %s\n' "$name"
    .venv/bin/python "tests/bench/$name.py"
done
