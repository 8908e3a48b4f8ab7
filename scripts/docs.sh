#!/usr/bin/env bash
# Writes every generated document anew from the table it shows. A test compares each with what its table says today.
set -euo pipefail
cd "$(dirname "$0")/.." || exit
