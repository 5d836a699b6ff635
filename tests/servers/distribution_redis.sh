#!/usr/bin/env bash
# Unpacks the distribution's own Redis server into a folder, without installing it and without root, and prints the
# path of a program that starts it: what CUTGATE_TEST_SERVERS takes. Debian 12 and Ubuntu 24.04 have Redis 7.0.
#
#     tests/servers/distribution_redis.sh FOLDER
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
program=$folder/redis-server

if [ ! -x "$program" ]; then
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/packages"
    apt=(-qq -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=)
    apt-get "${apt[@]}" update >&2
    cd "$folder/packages"
    # What the server is linked with, but for what every system has.
    mapfile -t packages < <(apt-cache "${apt[@]}" depends redis-server redis-tools \
        | sed -n 's/^ *Depends: \(redis-tools\|lib\(atomic\|hiredis\|jemalloc\|lua\|lzf\|ssl\|systemd\).*\)$/\1/p' | sort -u)
    apt-get "${apt[@]}" download redis-server "${packages[@]}" >&2
    for package in *.deb; do dpkg-deb --extract "$package" "$folder/root"; done
    libraries=$(find "$folder/root" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/root/usr/bin/redis-server "$@"\n' "$libraries" "$folder" > "$folder/started"
    chmod +x "$folder/started"
    "$folder/started" --version >&2
    mv "$folder/started" "$program"
fi
echo "$program"
