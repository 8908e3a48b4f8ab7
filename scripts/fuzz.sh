#!/usr/bin/env bash
# The property tests over and over with fresh random input, in whole rounds until FUZZ_SECONDS (300) are over. Stops at the first failure, which
# hypothesis prints with the call that repeats it.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

mapfile -t files < <(git grep -l 'from hypothesis import' -- 'tests/**/test_*.py')
[ ${#files[@]} -gt 0 ] || { echo "There are no property tests." >&2; exit 1; }
end=$((SECONDS + ${FUZZ_SECONDS:-300}))
rounds=0
while [ "$SECONDS" -lt "$end" ]; do
    .venv/bin/pytest --quiet --numprocesses auto --hypothesis-profile=fuzz --timeout=900 -m "not soak" "${files[@]}"
    rounds=$((rounds + 1))
done
echo "$rounds rounds without a failure"
