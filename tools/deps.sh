#!/bin/sh
# Installs what is missing, and says so first:  tools/deps.sh build|test|format|coverage|bench...
# The list is tools/packages.txt. Nothing is fetched or asked for when nothing is missing. No service is
# started. Where there is no apt-get it names what is missing and lets the build speak for itself.
set -eu
cd "$(dirname "$0")/.."

has() { # PACKAGE CHECK
    case $2 in
    cmd:*) command -v "${2#cmd:}" >/dev/null 2>&1 && return 0 ;;
    pc:*) pkg-config --exists "${2#pc:}" 2>/dev/null && return 0 ;;
    esac
    command -v dpkg-query >/dev/null 2>&1 &&
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
daemons=
for group in "$@"; do
    while read -r row package check mark; do
        [ "$row" = "$group" ] || continue
        has "$package" "$check" && continue
        missing="$missing $package"
        [ "$mark" = daemon ] && daemons="$daemons $package"
    done <tools/packages.txt
done

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

refresh() { # package lists, once
    [ -n "${refreshed-}" ] && return 0
    refreshed=1
    as_root apt-get update -q >/dev/null
}

# Debian's policy: a package asks this file before it starts a service; 101 means don't.
hold_services() {
    [ -n "$daemons" ] && [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "deps: no apt-get here; please install by other means:$missing" >&2
        exit 0
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        echo "deps: neither root nor sudo; please have these installed:$missing" >&2
        exit 1
    fi
    echo "deps: installing$missing"
    refresh
    hold_services
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >build-deps.log 2>&1 </dev/null || {
        cat build-deps.log >&2
        rm -f build-deps.log
        exit 1
    }
    rm -f build-deps.log
fi

# promtool checks our metrics. Its package would bring a daemon, a user and eleven web libraries (96 MB), so
# only the binary is taken out of it. Its tests are skipped where it can't be had.
get_promtool() {
    command -v promtool >/dev/null 2>&1 && return 0
    [ -x build/tools/promtool ] && return 0
    command -v apt-get >/dev/null 2>&1 || return 0
    echo "deps: taking promtool out of the package prometheus into build/tools (19 MB to download)"
    top=$PWD
    work=$(mktemp -d)
    chmod 755 "$work"
    if (cd "$work" && apt-get download -q prometheus || { refresh && apt-get download -q prometheus; }) >/dev/null 2>&1 &&
        dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool; then
        mkdir -p "$top/build/tools"
        cp "$work/usr/bin/promtool" "$top/build/tools/promtool"
    else
        echo "deps: could not get promtool; the tests that need it will be skipped" >&2
    fi
    rm -rf "$work"
}

for group in "$@"; do
    [ "$group" = test ] && get_promtool
done
exit 0
