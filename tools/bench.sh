#!/bin/sh
# Builds the release variant and measures it beside its peers: arguments go to bench/run.py.
#     tools/bench.sh --programs    runs those benchmarks instead that need no sockets, one after the other
set -eu
cd "$(dirname "$0")/.."
tools/build.sh release >/dev/null
tools/build.sh release bench-programs >/dev/null
if [ "${1-}" != --programs ]; then
    exec bench/run.py build/release "$@"
fi
shift
for name in step message match; do
    echo "== $name"
    "build/release/bench/bench-$name" "$@"
done
