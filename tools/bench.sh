#!/bin/sh
# Builds the release variant and runs the benchmarks. With bench/run, that script decides what and how;
# else each benchmark program runs once, in turn. Arguments are handed on.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh release >/dev/null
if [ -x bench/run ]; then
    tools/build.sh release bench-programs >/dev/null 2>&1 || true
    exec bench/run build/release "$@"
fi
tools/build.sh release bench-programs >/dev/null
for program in build/release/bench/bench-*; do
    if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
    echo "== ${program##*/bench-}"
    "$program" "$@"
done
