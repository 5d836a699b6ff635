#!/usr/bin/env bash
# Unpacks a package of Redis or Valkey into a folder, without installing it and without root, and prints the path of a
# program that starts it: what CUTGATE_TEST_SERVERS takes. The package is this distribution's (Debian 12 and
# Ubuntu 24.04 have Redis 7.0) or, with a suite such as `trixie`, that of another Debian, from the mirror that apt uses
# here. It runs with the libc of its own suite.
#
#     tests/servers/distribution_redis.sh FOLDER [redis|valkey [SUITE]]
set -euo pipefail
kind=${2:-redis} suite=${3:-}
mkdir -p "$1/${suite:-own}/$kind"
folder=$(cd "$1/${suite:-own}/$kind" && pwd)
program=$folder/$kind-server

if [ ! -x "$program" ]; then
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/packages"
    apt=(-qq -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=)
    if [ -n "$suite" ]; then
        mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
        # Backports need what they were made for.
        for name in $(printf '%s\n' "$suite" "${suite%-backports}" | sort -u); do
            echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $name main"
        done > "$folder/sources.list"
        apt+=(-o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null)
        apt+=(-o Dir::State::status=/dev/null)
    fi
    apt-get "${apt[@]}" update >&2
    cd "$folder/packages"
    mapfile -t libraries < <(apt-cache "${apt[@]}" depends --recurse --important "$kind-server" "$kind-tools" \
        | grep -E '^(lib|zlib)[^:]*$' | sort -u)
    apt-get "${apt[@]}" download "$kind-server" "$kind-tools" "${libraries[@]}" >&2
    for package in *.deb; do dpkg-deb --extract "$package" "$folder/root"; done
    loader=$(find "$folder/root" -name 'ld-linux*.so.*' -type f | sed -n 1p)
    paths=$(find "$folder/root" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
    # The server starts itself anew under the name that it was started with.
    printf '#!/bin/sh\nexec %s --library-path %s --argv0 "$0" %s/root/usr/bin/%s-server "$@"\n' \
        "$loader" "$paths" "$folder" "$kind" > "$folder/started"
    chmod +x "$folder/started"
    "$folder/started" --version >&2
    mv "$folder/started" "$program"
fi
echo "$program"
