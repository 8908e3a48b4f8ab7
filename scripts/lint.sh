#!/usr/bin/env bash
# All static checks. Every one runs, so that one call shows everything there is to mend; fails if any does.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=0
check() {
    local title=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok      $title"
    else
        failed=1
        printf 'FAILED  %s\n%s\n' "$title" "$output"
    fi
}

bin=.venv/bin
mapfile -t shell < <(git ls-files '*.sh' .ci/run)
mapfile -t yaml < <(git ls-files '*.yml' '*.yaml')

check "ruff format" $bin/ruff format --check --quiet --diff .
check "ruff check" $bin/ruff check --quiet --output-format concise .
check "mypy" $bin/mypy
check "import-linter" $bin/lint-imports --no-logo
check "shellcheck" $bin/shellcheck --external-sources "${shell[@]}"
[ ${#yaml[@]} -eq 0 ] || check "yamllint" $bin/yamllint --strict "${yaml[@]}"
exit $failed
