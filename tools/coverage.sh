#!/bin/sh
# Line coverage by room, and of each parser, against their bars; pages in build/coverage/html.
# Counted are the unit, battery, simulation and system tests, not what fuzzing reaches. SYSTEM=no leaves the
# live ones out (then the command line counts as not run).
set -eu
cd "$(dirname "$0")/.."
tools/build.sh coverage >/dev/null
find build/coverage -name '*.gcda' -delete
suites="--suite unit --suite battery --suite simulation"
[ "${SYSTEM:-yes}" = no ] || suites="$suites --suite system"
# shellcheck disable=SC2086 # suites are words
INTERTIE_SEEDS=${SEEDS:-5} meson test -C build/coverage --no-rebuild --quiet $suites || failed=1
mkdir -p build/coverage/html
gcovr -r . --object-directory build/coverage --filter src/ \
    --exclude '.*_test\.c' --exclude '.*/fixture\.h' --exclude 'src/protocol/battery/' \
    --html-details build/coverage/html/index.html --json-summary build/coverage/summary.json >/dev/null
tools/coverage.py build/coverage/summary.json
exit "${failed:-0}"
