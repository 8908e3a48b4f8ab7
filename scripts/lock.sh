#!/usr/bin/env bash
# Writes requirements.lock and requirements-dev.lock from pyproject.toml, whole tree with hashes, for the Python that all targets run.
# Both locks agree: the small one is computed first and bounds the large one.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/pip" install --quiet pip-tools==7.6.2

lock() {
    local out=$1
    shift
    CUSTOM_COMPILE_COMMAND="make lock" "$tools/bin/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --output-file "$out" "$@" pyproject.toml
}

lock requirements.lock
lock requirements-dev.lock --extra dev --constraint requirements.lock
