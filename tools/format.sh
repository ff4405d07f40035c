#!/bin/sh
# Formats the C files named, or else those that differ from main (all with --all).
set -eu
cd "$(dirname "$0")/.."
changed() {
    git diff --name-only --diff-filter=d main -- '*.c' '*.h'
    git ls-files -o --exclude-standard '*.c' '*.h'
}
case ${1-} in
--all) git ls-files '*.c' '*.h' ;;
'') changed | sort -u ;;
*) printf '%s\n' "$@" ;;
esac | xargs -r clang-format -i
