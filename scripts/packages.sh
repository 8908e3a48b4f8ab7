#!/usr/bin/env bash
# Sees that the Debian packages given are there: installs the missing ones as root, else says the one command that does.
set -euo pipefail

missing=()
for package in "$@"; do
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Please install what Debian calls: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Please run: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
}
echo "Installing ${missing[*]}"
# The lists may be old or absent: only then are they worth the time.
install 2>/dev/null || { apt-get update --quiet --quiet -o DPkg::Lock::Timeout=300 && install; }
