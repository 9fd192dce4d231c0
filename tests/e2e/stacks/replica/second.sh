#!/bin/sh
# The first start copies the database.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
data=/var/lib/postgresql/data
if ! test -s "$data/PG_VERSION"; then
  rm -rf "$data.new"
  pg_basebackup -h first -U postgres --no-sync --checkpoint=fast --write-recovery-conf -D "$data.new"
  mv "$data.new" "$data"
fi
exec postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/tmp
