#!/usr/bin/env bash
# Writes every generated document anew from the table it shows. A test compares each with what its table says today.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

# generate MODULE FILE: what the module prints becomes the file, if it ran well.
generate() {
    .venv/bin/python -m "$1" >"$2.new"
    mv "$2.new" "$2"
    echo "wrote $2"
}

generate emg.config.document docs/configuration.md
generate emg.control.document docs/control.md
