#!/usr/bin/env bash
# Writes every generated document anew from the table it shows. A test compares each with what its table says today.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

# generate FILE MODULE …: what the module prints becomes the file, if it ran well.
generate() {
    local file=$1
    shift
    .venv/bin/python -m "$@" >"$file.new"
    mv "$file.new" "$file"
    echo "wrote $file"
}

generate docs/configuration.md emg.config.document
generate docs/control.md emg.control.document
generate sql/schema-sqlite.sql sql schema sqlite
generate sql/schema-mysql.sql sql schema mysql
generate config/supervisord.conf watchdog.document appliance
generate config/demo/supervisord.conf watchdog.document demo
