# What a primary needs beyond what the image does, before it serves for the first time; the image runs this once. Names
# are of both servers, so that they still say the right thing after the other one was promoted. Settings are read at the
# next start, as a server that is alone would wait for ever.
psql --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --command "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (db1, db2)'"
echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
