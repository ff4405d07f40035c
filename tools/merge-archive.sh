#!/bin/sh
# Merges archives into one whose only global names are the public ones:
#     merge-archive.sh OUTPUT COMPILER... -- ARCHIVE...
set -eu
output=$1
shift
compiler=
while [ "$1" != -- ]; do
    compiler="$compiler $1"
    shift
done
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# With link-time optimisation the objects hold no machine code yet; gcc makes it while merging.
flags=
case $compiler in
*gcc* | *cc) $compiler -flinker-output=nolto-rel -r -nostdlib -x c /dev/null -o "$work/probe.o" 2>/dev/null &&
    flags=-flinker-output=nolto-rel ;;
esac
# shellcheck disable=SC2086
$compiler -r -nostdlib $flags -O2 -o "$work/intertie.o" -Wl,--whole-archive "$@" -Wl,--no-whole-archive
objcopy --localize-hidden "$work/intertie.o"
rm -f "$output"
ar rcs "$output" "$work/intertie.o"
