#!/bin/sh
# The first start makes the database.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
test -z "${POSTGRES_PASSWORD_FILE:-}" || POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
data=/var/lib/postgresql/data
if ! test -s "$data/PG_VERSION"; then
  rm -rf "$data.new"
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --no-sync --pgdata "$data.new" --username postgres --auth-local trust --auth-host scram-sha-256 --pwfile /tmp/password
  rm /tmp/password
  for what in all replication; do echo "host $what all all scram-sha-256"; done >> "$data.new/pg_hba.conf"
  mv "$data.new" "$data"
fi
exec postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/tmp "$@"
