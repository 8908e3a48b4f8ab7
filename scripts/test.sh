#!/usr/bin/env bash
# Runs all tests: those that need nothing but themselves on all cores, then those that start programs, one after the other.
# Arguments go to pytest (scripts/test.sh -k receipt).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# bearerbox and smsbox are the foreign peers of tests/integration; tests/databases.py starts a MariaDB server of its own.
# The fonts are for invoices as PDF, poppler-utils reads them back.
# tests/browser opens the portal in Chromium.
scripts/packages.sh chromium kannel mariadb-server fonts-dejavu-core fonts-droid-fallback poppler-utils || exit 1

failed=0
.venv/bin/pytest --numprocesses auto tests --ignore tests/durability --ignore tests/faults --ignore tests/integration --ignore tests/browser "$@" || failed=1

serial=()
for folder in tests/durability tests/faults tests/integration tests/browser; do
    [ -z "$(find "$folder" -name 'test_*.py' -print -quit 2>/dev/null)" ] || serial+=("$folder")
done
if [ ${#serial[@]} -gt 0 ]; then
    .venv/bin/pytest "${serial[@]}" "$@" || failed=1
fi
exit $failed
