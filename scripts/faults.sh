#!/usr/bin/env bash
# Does each fault of tests/faults to the whole product and writes docs/faults.md: seconds until all is well again, and what was lost. Three minutes; as root a disk of
# its own can be filled and frozen, else those faults are left out. The machine should have nothing else to do.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

# tests/databases.py starts a MariaDB server of its own.
scripts/packages.sh mariadb-server

EMG_FAULTS_PAGE="$PWD/docs/faults.md" .venv/bin/pytest -q tests/faults "$@"
echo "wrote docs/faults.md"
