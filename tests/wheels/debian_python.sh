#!/usr/bin/env bash
# Unpacks Debian's newest Python into a folder and prints the path of a program that runs it there: put its folder on
# the path for tests/wheels. It needs root and debootstrap, and sees /tmp of this machine; `umount --recursive` ends that.
#
#     tests/wheels/debian_python.sh FOLDER [SUITE]
set -euo pipefail
folder=$(realpath -m "$1") suite=${2:-sid}
if [ ! -d "$folder/root/usr/lib" ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
    debootstrap --variant=minbase --include=python3,python3-venv "$suite" "$folder/root" "$mirror" >&2
fi
python=$(basename "$(readlink "$folder/root/usr/bin/python3")")
mkdir -p "$folder/bin"
for name in tmp proc; do
    mountpoint --quiet "$folder/root/$name" || mount --rbind "/$name" "$folder/root/$name"
done
printf '#!/bin/sh\nexec chroot %s %s "$@"\n' "$folder/root" "$python" > "$folder/bin/$python"
chmod +x "$folder/bin/$python"
echo "$folder/bin/$python"
