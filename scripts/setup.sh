#!/usr/bin/env bash
# Makes .venv from a lock file (the argument) and puts the command `emg` into it. Says what to install where it can't do it itself.
set -euo pipefail
cd "$(dirname "$0")/.." || exit
lock=$1

# The system's own Python first: a virtual environment on top of it outlives what a user has in his path.
usable_python() {
    local candidate
    for candidate in /usr/bin/python3.11 python3.11 python3; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

if [ ! -x .venv/bin/pip ]; then
    if ! python=$(usable_python); then
        scripts/packages.sh python3 python3-venv
        python=$(usable_python) || { echo "emg needs Python 3.11 with its module venv, and this system's python3 is $(python3 -V 2>&1)." >&2; exit 1; }
    fi
    echo "Making .venv with $($python -V)"
    "$python" -m venv .venv
fi

echo "Installing what $lock lists"
export PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/pip install --quiet --require-hashes --requirement "$lock"
# "compat" is a plain path entry: a package added to the tree later is found without installing again, and starting costs nothing.
.venv/bin/pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
