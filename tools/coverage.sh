#!/bin/sh
# Line coverage of the unit, battery and simulation tests: a summary here, pages in build/coverage/html.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh coverage >/dev/null
find build/coverage -name '*.gcda' -delete
INTERTIE_SEEDS=${SEEDS:-5} meson test -C build/coverage --no-rebuild --quiet \
    --suite unit --suite battery --suite simulation --suite fuzz-corpus
mkdir -p build/coverage/html
gcovr -r . --object-directory build/coverage --filter src/ --exclude '.*_test\.c' \
    --html-details build/coverage/html/index.html --print-summary
