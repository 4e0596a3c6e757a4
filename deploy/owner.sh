#!/bin/sh
# Run once by the image of PostgreSQL on a new volume: the application's role, which owns its database and is no superuser.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE rulebound LOGIN NOSUPERUSER NOCREATEDB CREATEROLE PASSWORD :'password';
ALTER DATABASE rulebound OWNER TO rulebound;
SQL
