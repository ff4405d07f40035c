#!/bin/sh
# Sets up and builds one variant in build/VARIANT:
#     tools/build.sh debug|release|tsan|clang|fuzz|coverage [ninja target...]
# Variables: JOBS (the number of cores by default), WERROR=true to fail on warnings, PREFIX.
set -eu
cd "$(dirname "$0")/.."
variant=${1:?usage: tools/build.sh VARIANT [target...]}
shift
dir=build/$variant
compiler=${CC:-gcc}
case $variant in
debug) options="--buildtype=debug --optimization=1 -Db_sanitize=address,undefined -Db_lundef=false" ;;
release) options="--buildtype=release -Db_lto=true -Dhardening=true -Dunit=disabled" ;;
tsan)
    compiler=clang
    options="--buildtype=debug --optimization=1 -Db_sanitize=thread -Db_lundef=false"
    ;;
clang)
    compiler=clang
    options="--buildtype=debugoptimized"
    ;;
fuzz)
    compiler=clang
    options="--buildtype=debug --optimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true"
    ;;
coverage) options="--buildtype=debug -Db_coverage=true" ;;
*)
    echo "tools/build.sh: no variant '$variant'" >&2
    exit 2
    ;;
esac
options="$options -Dwerror=${WERROR:-false} --prefix=${PREFIX:-/usr/local}"

# Meson can't see that a room came or went, or that a test library was installed since: this list can.
stamp=$dir/.configured
state() {
    echo "$compiler $options"
    tools/rooms.sh
    ls fuzz/fuzz_*.c bench/bench_*.c tests/*/meson.build docs/man docs/completions include/intertie 2>/dev/null || true
    pkg-config --modversion cmocka 2>/dev/null || true
}
if [ ! -f "$dir/build.ninja" ]; then
    # shellcheck disable=SC2086 # options are words
    CC=$compiler meson setup $options "$dir" >"build-$variant.log" 2>&1 || {
        cat "build-$variant.log" >&2
        rm -f "build-$variant.log"
        exit 1
    }
    rm -f "build-$variant.log"
    state >"$stamp"
elif [ "$(state)" != "$(cat "$stamp" 2>/dev/null)" ]; then
    # shellcheck disable=SC2086
    meson setup --reconfigure $options "$dir" >/dev/null
    state >"$stamp"
fi
exec ninja -C "$dir" -j "${JOBS:-$(nproc 2>/dev/null || echo 2)}" "$@"
