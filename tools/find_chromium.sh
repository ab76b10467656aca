#!/usr/bin/env bash
# Prints the path of the Chromium that the browser tests use: the one that CHROMIUM names, else one that is installed.
# Where there is none, root gets Debian's; anybody else is told how to get it, and the exit status is 3.
set -euo pipefail

find_it() {
    if [ -n "${CHROMIUM:-}" ]; then
        command -v "$CHROMIUM" && return
        echo "CHROMIUM is $CHROMIUM, where there is no program: name the path of a Chromium." >&2
        exit 2
    fi
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

find_it && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >&2 || true
    find_it && exit
fi
echo 'There is no Chromium: install it (Debian: apt-get install chromium) or name its path in CHROMIUM.' >&2
exit 3
