#!/bin/sh
# The first start makes the database; its user is made at each, where he is not there.
set -eu
data=/var/lib/mysql
test -d "$data/mysql" || mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db
cat > /tmp/first.sql <<END
CREATE DATABASE IF NOT EXISTS $MARIADB_DATABASE;
CREATE USER IF NOT EXISTS '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON $MARIADB_DATABASE.* TO '$MARIADB_USER'@'%';
END
exec mariadbd --datadir="$data" --bind-address=0.0.0.0 --socket=/tmp/mariadb.sock --pid-file=/tmp/mariadb.pid --init-file=/tmp/first.sql
