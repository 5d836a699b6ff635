#!/bin/sh
# Starts a server with the users of users.acl: `start.sh valkey-server OPTIONS`. A user's password is the one in the
# address that its part is given, the file redis_url_USER in the folder of secrets. The server gets its digest.
set -eu
umask 077
here=$(dirname "$0")
secrets=${CUTGATE_SECRETS_DIR:-/run/secrets}
users=${TMPDIR:-/tmp}/users.acl

sed -n '/^user default /p' "$here/users.acl" > "$users"
for user in courier gateway operator worker; do
    password=$(sed -n "s|^redis://$user:\([0-9A-Za-z]\{32,\}\)@.*|\1|p" "$secrets/redis_url_$user")
    if [ -z "$password" ]; then
        echo "$secrets/redis_url_$user must be redis://$user:PASSWORD@HOST:6379/0 with 32 or more letters and digits" >&2
        exit 1
    fi
    digest=$(printf %s "$password" | sha256sum | cut -d " " -f 1)
    sed -n "s/^user $user /&on #$digest /p" "$here/users.acl" >> "$users"
done
exec "$@" --aclfile "$users"
