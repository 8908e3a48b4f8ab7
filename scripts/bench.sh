#!/usr/bin/env bash
# Measures what things cost and writes docs/performance.md, in about a quarter of an hour; judges nothing. With names (scripts/bench.sh
# codec text) it prints those figures alone and writes nothing. The machine should have nothing else to do.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

# tests/databases.py starts a MariaDB server of its own.
scripts/packages.sh mariadb-server

exec .venv/bin/python -m tests.bench.page "$@"
