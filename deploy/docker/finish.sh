#!/bin/sh
# Ends an installation in /opt/cutgate for a process that loads the packages "$@": without what never runs, with byte
# code, and with the same bytes every time.
set -eu
packages=$(echo /opt/cutgate/lib/python3*/site-packages)
# What Cutgate is built with, and the line editor of Celery's own command, which nothing here starts.
pip uninstall --yes --quiet setuptools click-repl prompt-toolkit wcwidth
python /docker/slim.py "$packages"
mkdir /opt/stdlib
# The order of sets in byte code depends on the seed of hashes.
PYTHONHASHSEED=0 PYTHONPATH=$(echo /opt/own/lib/python3*/site-packages) \
    /opt/cutgate/bin/python -B /docker/byte_code.py /opt/stdlib "$@"
find /opt/cutgate /opt/own /opt/stdlib -depth -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
