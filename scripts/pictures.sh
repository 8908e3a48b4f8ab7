#!/usr/bin/env bash
# Takes a picture of every page of the portal, wide and narrow, light and dark, into build/pictures, which git ignores; and renews those that README shows (docs/pictures). The
# portal runs on a stack of its own with sample traffic.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

# Pages say how much and when in the fonts that are there.
scripts/packages.sh chromium fonts-dejavu-core mariadb-server

rm -rf build/pictures
EMG_PICTURES="$PWD/build/pictures" .venv/bin/pytest -q tests/browser/test_pages.py
mkdir -p docs/pictures
for name in dashboard-wide-light connectors-wide-dark messages-narrow-light; do
    cp "build/pictures/$name.png" docs/pictures/
done
echo "wrote build/pictures and docs/pictures"
