#!/bin/sh
# Ends an installation in /opt/keycut for a process that loads the packages "$@": without what never runs, with byte
# code, and with the same bytes every time.
set -eu
packages=$(echo /opt/keycut/lib/python3*/site-packages)
# What Keycut is built with, and the line editor of Celery's own command, which nothing here starts.
pip uninstall --yes --quiet setuptools click-repl prompt-toolkit wcwidth
python /docker/slim.py "$packages"
mkdir /opt/stdlib
# The order of sets in byte code depends on the seed of hashes.
PYTHONHASHSEED=0 PYTHONPATH=$(echo /opt/own/lib/python3*/site-packages) \
    /opt/keycut/bin/python -B /docker/byte_code.py /opt/stdlib "$@"
find /opt/keycut /opt/own /opt/stdlib -depth -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
