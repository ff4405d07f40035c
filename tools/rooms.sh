#!/bin/sh
# Names every folder under src/ that has a meson.build, parents first, relative to src/.
# A folder inside a room is left out when the room's own meson.build enters its folders itself.
set -eu
cd "$(dirname "$0")/../src"
for file in */meson.build; do
    [ -f "$file" ] || continue
    room=${file%/meson.build}
    echo "$room"
    grep -q '^[^#]*subdir(' "$file" && continue
    for inner in "$room"/*/meson.build; do
        [ -f "$inner" ] && echo "${inner%/meson.build}"
    done
done
exit 0
