#!/bin/sh
# Makes the secrets that every installation needs, in ./secrets or the folder that is named: the master key, and for
# each user of Redis its address with a password. What is there already stays.
set -eu
folder=${1:-secrets}
umask 022  # the containers' users must be able to read the files; the folder itself is closed to others
[ -d "$folder" ] || mkdir -m 0700 "$folder"

[ -e "$folder/cutgate_master_key" ] || head -c 32 /dev/urandom | base64 > "$folder/cutgate_master_key"
for user in courier gateway operator worker; do
    address=$folder/redis_url_$user
    password=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
    [ -e "$address" ] || echo "redis://$user:$password@redis:6379/0" > "$address"
done
